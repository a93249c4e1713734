"""The connections of one test's engine: whatever the test does with its pool, they are reset and kept, or closed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from realservices.isolation.errors import IsolationError, ended
from realservices.kinds.postgres.isolation.drivers.asyncpg_connections import AsyncpgConnections
from realservices.kinds.postgres.isolation.drivers.imports import connections_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from realservices.kinds.postgres.isolation.drivers.lease import DatabaseLease


class _Connections:
    """The connections of one engine, which a test has as ``name``."""

    def __init__(self, lease: DatabaseLease, name: str) -> None:
        self._lease = lease
        self._name = name
        self._records: list[Any] = []
        self._is_over = self._has_begun = False

    def begin(self) -> bool:
        """Return whether this is the first connection."""
        has_begun, self._has_begun = self._has_begun, True
        return not has_begun

    def note(self, record: Any) -> None:
        """Note a pool's record, which has a connection."""
        self._records.append(record)


class BlockingConnections(_Connections):
    """Those of an engine that blocks."""

    def __init__(self, lease: DatabaseLease, driver: str, name: str) -> None:
        super().__init__(lease, name)
        self._opened: list[Any] = []
        self._driver = connections_of(driver)

    def open(self, arguments: dict[str, Any]) -> Any:
        """Return a connection of the driver, until `end`."""
        if self._is_over:
            raise ended(f"this {self._name}")
        connection = self._driver.connect(self._lease, **arguments)
        self._opened.append(connection)
        return connection

    def end(self, engine: Engine) -> None:
        """End the test's use of an engine: its connections are reset and kept, or closed."""
        self._is_over = True
        _empty(self._records)
        while self._opened:
            self._driver.release(self._opened.pop(0))
        engine.pool.dispose()


class AsynchronousConnections(_Connections):
    """Those of an asynchronous engine, in one loop."""

    def __init__(self, lease: DatabaseLease, driver: str, name: str, kept: AsyncpgConnections, *, keep: bool) -> None:
        super().__init__(lease, name)
        self._driver = driver
        self._kept = kept if keep else AsyncpgConnections()
        self._keep = keep
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stack = contextlib.AsyncExitStack()

    async def open(self, *_: Any, context: Any = None, **__: Any) -> Any:
        """Return a connection of the driver, until `end`."""
        self._check_use()
        if self._driver == "asyncpg":
            return await self._stack.enter_async_context(self._kept.connection(self._lease, keep=self._keep))
        from realservices.kinds.postgres.isolation.drivers import psycopg_connections  # noqa: PLC0415 - for its users

        connection = await psycopg_connections.connect_async(self._lease, context=context)
        self._stack.callback(psycopg_connections.release, connection)
        return connection

    def connect(self, dialect: Any, arguments: dict[str, Any]) -> Any:
        """Connect for a pool."""
        return dialect.connect(async_creator_fn=self.open, **arguments)

    def prepare(self, engine: Engine, on_connect: Any) -> None:
        """Have each connection set up once, as the dialect wants it."""

        def set_up(connection: Any, _: Any) -> None:
            raw = getattr(connection._connection, "_con", None)
            if raw is None:
                on_connect(connection)
            elif not raw.is_set_up:
                on_connect(connection)  # Codecs, each of which asks the server.
                raw.is_set_up, raw.has_codecs = True, False

        event.listen(engine.pool, "connect", set_up)
        event.listen(engine.pool, "checkout", lambda *_: self._check_use())

    async def end(self, engine: Engine) -> None:
        """End the test's use of an engine: its connections are reset and kept, or closed."""
        self._is_over = True
        _empty(self._records)
        engine.pool.dispose()
        await self._stack.aclose()

    def _check_use(self) -> None:
        if self._is_over:
            raise ended(f"this {self._name}")
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if loop is not self._loop:
            raise IsolationError(
                f"{self._name} belongs to the event loop that used it first, and is used in another one. In a thread "
                "use isolated_engine; for asyncio.run() make an engine of cloned_database.url_for('postgresql+asyncpg')"
            )


def _empty(records: list[Any]) -> None:
    """Take connections out of a pool's records, also those that somebody has checked out. The pool is at its end."""
    for record in records:
        record.fairy_ref = record.dbapi_connection = None
