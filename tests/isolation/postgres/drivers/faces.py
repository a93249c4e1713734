"""One face for every driver, so that what all of them promise is one table of tests."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Face:
    """A client of the test's database."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def run(self, *statements: str) -> None:
        """Run statements in a transaction of their own, and commit it."""
        async with self.transaction() as run:
            for sql in statements:
                await run(sql)

    async def value(self, sql: str) -> Any:
        """Return the first value of a query, asked in a transaction of its own."""
        async with self.transaction() as run:
            return await run(sql)

    def transaction(self) -> contextlib.AbstractAsyncContextManager[Any]:
        """Begin a transaction; give a function that runs a statement in it and returns its first value, if any."""
        raise NotImplementedError

    async def alone(self, sql: str) -> None:
        """Run a statement that PostgreSQL refuses in a transaction."""
        raise NotImplementedError


class Asyncpg(Face):
    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        async with self.client.transaction():
            yield self.client.fetchval

    async def alone(self, sql: str) -> None:
        await self.client.execute(sql)


class AsyncpgSync(Face):
    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        with self.client.transaction():

            async def run(sql: str) -> Any:
                return self.client.fetchval(sql)

            yield run

    async def alone(self, sql: str) -> None:
        self.client.execute(sql)


class Psycopg(Face):
    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        with self.client.transaction():

            async def run(sql: str) -> Any:
                cursor = self.client.execute(sql)
                return cursor.fetchone()[0] if cursor.description else None

            yield run

    async def alone(self, sql: str) -> None:
        self.client.autocommit = True
        self.client.execute(sql)
        self.client.autocommit = False


class PsycopgAsync(Face):
    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        async with self.client.transaction():

            async def run(sql: str) -> Any:
                cursor = await self.client.execute(sql)
                return (await cursor.fetchone())[0] if cursor.description else None

            yield run

    async def alone(self, sql: str) -> None:
        await self.client.set_autocommit(True)
        await self.client.execute(sql)
        await self.client.set_autocommit(False)


class Psycopg2(Face):
    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        with self.client, self.client.cursor() as cursor:

            async def run(sql: str) -> Any:
                cursor.execute(sql)
                return cursor.fetchone()[0] if cursor.description else None

            yield run

    async def alone(self, sql: str) -> None:
        self.client.autocommit = True
        with self.client.cursor() as cursor:
            cursor.execute(sql)
        self.client.autocommit = False


def _text(sql: str) -> Any:
    import sqlalchemy  # noqa: PLC0415 - it may not be there

    return sqlalchemy.text(sql)


def _first(result: Any) -> Any:
    return result.scalar() if result.returns_rows else None


class Engine(Face):
    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        with self.client.begin() as connection:

            async def run(sql: str) -> Any:
                return _first(connection.execute(_text(sql)))

            yield run

    async def alone(self, sql: str) -> None:
        with self.client.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(_text(sql))


class Session(Face):
    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        with self.client.begin():

            async def run(sql: str) -> Any:
                return _first(self.client.execute(_text(sql)))

            yield run

    async def alone(self, sql: str) -> None:
        await Engine(self.client.get_bind()).alone(sql)


class EngineAsync(Face):
    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        async with self.client.begin() as connection:

            async def run(sql: str) -> Any:
                return _first(await connection.execute(_text(sql)))

            yield run

    async def alone(self, sql: str) -> None:
        async with self.client.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(_text(sql))


class SessionAsync(Face):
    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        async with self.client.begin():

            async def run(sql: str) -> Any:
                return _first(await self.client.execute(_text(sql)))

            yield run

    async def alone(self, sql: str) -> None:
        await EngineAsync(self.client.bind).alone(sql)


FACES: dict[str, tuple[type[Face], tuple[str, ...], str]] = {
    "asyncpg": (Asyncpg, ("isolated_psycopg", "isolated_database"), ""),
    "asyncpg_sync": (AsyncpgSync, ("isolated_psycopg", "isolated_database_sync"), ""),
    "psycopg": (Psycopg, ("isolated_psycopg",), ""),
    "psycopg_async": (PsycopgAsync, ("isolated_psycopg_async",), ""),
    "psycopg2": (Psycopg2, ("isolated_psycopg2",), ""),
    "engine_psycopg": (Engine, ("isolated_engine",), "psycopg"),
    "engine_psycopg2": (Engine, ("isolated_engine",), "psycopg2"),
    "engine_asyncpg": (EngineAsync, ("isolated_engine_async",), "asyncpg"),
    "engine_psycopg_async": (EngineAsync, ("isolated_engine_async",), "psycopg"),
    "session_psycopg": (Session, ("isolated_session",), "psycopg"),
    "session_psycopg2": (Session, ("isolated_session",), "psycopg2"),
    "session_asyncpg": (SessionAsync, ("isolated_session_async",), "asyncpg"),
    "session_psycopg_async": (SessionAsync, ("isolated_session_async",), "psycopg"),
}
"""By name: the class, the fixtures of which the last one is its client, and the driver that the marker chooses.

`isolated_database` beside another driver's fixture has real commits, as that has.
"""
