"""Books, by sessions of SQLAlchemy."""

from sqlalchemy import select

from app.models import Author, Book


def get_author(session, author_id):
    return session.query(Author).filter(Author.id == author_id).first()


def author_by_name(session, name):
    return session.execute(select(Author).where(Author.name == name)).scalar_one_or_none()


def add_author(session, name, country=None):
    author = Author(name=name, country=country)
    session.add(author)
    session.commit()
    session.refresh(author)
    return author


def titles(session, author_id):
    return [book.title for book in session.scalars(select(Book).where(Book.author_id == author_id)).all()]


def authors_by_name(session):
    return session.scalars(select(Author).order_by(Author.name.desc())).all()


def delete_author(session, author_id):
    author = session.get(Author, author_id)
    if author is None:
        return False
    session.delete(author)
    session.commit()
    return True


def count_authors(session):
    return session.query(Author).count()


async def find_author(session, author_id):
    result = await session.execute(select(Author).where(Author.id == author_id))
    return result.scalar_one_or_none()


async def save_author(session, name):
    author = Author(name=name)
    session.add(author)
    await session.commit()
    return author


async def rename_user(db, user_id, name):
    await db.execute("UPDATE users SET name = $2 WHERE id = $1", user_id, name)
