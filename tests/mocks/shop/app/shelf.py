"""A repository on a session, which gets what it stores as a data class."""

from dataclasses import asdict, dataclass

from sqlalchemy import select

from app.models import Author, Book


@dataclass
class NewBook:
    title: str
    isbn: str
    author_id: int

    def dict(self):
        return asdict(self)


class Shelf:
    def __init__(self, session):
        self.session = session

    def author(self, name):
        statement = select(Author).filter_by(name=name).limit(1)
        return self.session.scalars(statement).first()

    def store(self, book):
        stored = Book(**book.dict())
        self.session.add(stored)
        self.session.commit()
        return stored
