"""The catalogue: opens its own sessions."""

from app import database
from app.models import Author


def author_names():
    with database.SessionLocal() as session:
        return [author.name for author in session.query(Author).order_by(Author.id).all()]
