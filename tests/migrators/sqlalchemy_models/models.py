"""Models, and what makes their tables."""

from __future__ import annotations

import os

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Holds the tables."""


class User(Base):
    """One of those who use this."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    active: Mapped[bool] = mapped_column(server_default=sa.true())


def create_all() -> None:
    """Make all tables."""
    Base.metadata.create_all(sa.create_engine(os.environ["SQLALCHEMY_URL"]))


if __name__ == "__main__":
    create_all()
