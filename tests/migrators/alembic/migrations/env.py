"""Alembic's environment: the address comes from the environment, as in production."""

from __future__ import annotations

import os

import sqlalchemy
from alembic import context

engine = sqlalchemy.create_engine(os.environ["SQLALCHEMY_URL"])
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
