from app.models import Author
from app.shelf import NewBook


def test_author(shelf, db_session):
    db_session.scalars.return_value.first.return_value = Author(id=3, country="DE")
    assert shelf.author("Ann").country == "DE"


def test_stored(shelf, db_session):
    book = shelf.store(NewBook(title="A", isbn="1", author_id=7))
    assert book.title == "A"
    db_session.add.assert_called_once_with(book)
    db_session.commit.assert_called_once()


def test_nobody(shelf, db_session):
    db_session.scalars.return_value.first.return_value = None
    assert shelf.author("Ann") is None
