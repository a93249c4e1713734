from unittest.mock import AsyncMock, MagicMock, patch

import pytest
from sqlalchemy.orm import Session

from app import books, catalog
from app.models import Author, Book


@pytest.fixture
def session():
    return MagicMock(spec=Session)


def test_get_author(session):
    author = Author(id=1, name="Ann")
    session.query.return_value.filter.return_value.first.return_value = author
    assert books.get_author(session, 1) is author


def test_author_by_name():
    session = MagicMock()
    session.execute.return_value.scalar_one_or_none.return_value = Author(id=2, name="Bob")
    assert books.author_by_name(session, "Bob").id == 2


def test_no_author(session):
    session.query.return_value.filter.return_value.first.return_value = None
    assert books.get_author(session, 1) is None


def test_add_author(session):
    books.add_author(session, "Cid", "DE")
    session.add.assert_called_once()
    session.commit.assert_called_once()


def test_titles():
    session = MagicMock()
    session.scalars.return_value.all.return_value = [Book(title="A", isbn="1"), Book(title="B", isbn="2")]
    assert books.titles(session, 4) == ["A", "B"]


def test_delete(session):
    session.get.return_value = Author(id=3, name="Dan")
    assert books.delete_author(session, 3)
    session.delete.assert_called_once()


def test_mocked_row():
    session = MagicMock()
    row = MagicMock()
    row.name = "Eve"
    session.get.return_value = row
    assert books.delete_author(session, 3)


def test_count(session):
    session.query.return_value.count.return_value = 2
    assert books.count_authors(session) == 2


async def test_find_author():
    session = AsyncMock()
    result = MagicMock()
    result.scalar_one_or_none.return_value = Author(id=5, name="Fay")
    session.execute.return_value = result
    author = await books.find_author(session, 5)
    assert author.name == "Fay"


async def test_save_author():
    session = AsyncMock()
    session.add = MagicMock()
    await books.save_author(session, "Gus")
    session.add.assert_called_once()
    session.commit.assert_awaited_once()


@patch("app.database.SessionLocal")
def test_names(factory):
    session = factory.return_value.__enter__.return_value
    session.query.return_value.order_by.return_value.all.return_value = [Author(name="Ann"), Author(name="Bob")]
    assert catalog.author_names() == ["Ann", "Bob"]


def test_authors_by_name():
    session = MagicMock()
    session.scalars.return_value.all.return_value = [Author(name="dan"), Author(name="bob"), Author(name="ann")]
    assert [author.name for author in books.authors_by_name(session)] == ["dan", "bob", "ann"]
