"""The ways in which a test has a database, and what PostgreSQL answers there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import asyncpg

from realservices.isolation.background import BackgroundLoop
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.postgres.isolation.isolation import PostgresIsolation
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

WAYS = ("plain", "database", "transaction")
_TIMEOUT_S = 30


@contextlib.contextmanager
def new_isolation(tests: int) -> Iterator[PostgresIsolation]:
    """Give an isolation of its own, for so many tests with a database."""
    services = find_services()
    endpoint = services.endpoint("postgres")
    background = BackgroundLoop()
    isolation = PostgresIsolation(endpoint, background, ReadyDatabases(endpoint, services.private))
    isolation.expect(transactions=True, databases=tests)
    yield isolation
    isolation.close(drop=True)
    background.stop()


@contextlib.asynccontextmanager
async def connected(isolation: PostgresIsolation, way: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection to a database that is as the template, in one of `WAYS`."""
    if way == "transaction":
        async with isolation.transaction(keep=True) as connection:
            yield connection
    elif way == "database":
        async with isolation.connection_to_clone(keep=True) as connection:
            yield connection
    else:
        with isolation.cloned_database() as database:
            yield await database.connect()


async def answer(connection: asyncpg.Connection, statement: str) -> object:
    """Return what PostgreSQL answers: rows as texts, or the SQLSTATE of an error; for several statements, the status."""
    try:
        if ";" in statement and "$$" not in statement and "'BEGIN" not in statement:
            return await connection.execute(statement, timeout=_TIMEOUT_S)
        rows = await connection.fetch(statement, timeout=_TIMEOUT_S)
    except asyncpg.PostgresError as error:
        return error.sqlstate
    return [tuple(_text(value) for value in row) for row in rows] or ""


def _text(value: object) -> str:
    return {True: "t", False: "f"}[value] if isinstance(value, bool) else str(value)
