"""SQLAlchemy's engines on a test's database.

Engine and pool are new for each test, with events and options of its own. Kept are the dialect, which has asked the
server what it is, the cache of compiled statements, and connections as their drivers keep them.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event

from realservices.kinds.postgres.isolation.drivers.asyncpg_connections import AsyncpgConnections
from realservices.kinds.postgres.isolation.drivers.engine_connections import (
    AsynchronousConnections,
    BlockingConnections,
)
from realservices.kinds.postgres.isolation.drivers.engine_model import EngineModel
from realservices.kinds.postgres.isolation.drivers.forks import in_child
from realservices.kinds.postgres.isolation.drivers.imports import MissingDriverError
from realservices.kinds.postgres.isolation.drivers.imports import driver as imported
from realservices.kinds.postgres.isolation.drivers.urls import sqlalchemy_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from realservices.kinds.postgres.isolation.clone import Clone
    from realservices.kinds.postgres.isolation.drivers.lease import DatabaseLease

BLOCKING = ("psycopg", "psycopg2")
"""Drivers of `isolated_engine`; the first one that is installed is the default."""
ASYNCHRONOUS = ("asyncpg", "psycopg")
"""Drivers of `isolated_engine_async`, see there."""


class Engines:
    """The engines of one process on one service, each for one test."""

    def __init__(self) -> None:
        self._models: dict[str, EngineModel] = {}
        self._kept = AsyncpgConnections()

    @contextlib.contextmanager
    def blocking(self, lease: DatabaseLease, driver: str, asked: str = "isolated_engine") -> Iterator[Engine]:
        """Give an engine with blocking connections.

        Args:
            lease: The test's database.
            driver: One of `BLOCKING`.
            asked: What the test has asked for, for messages.
        """
        name = f"postgresql+{driver}"
        url = sqlalchemy_url(lease.clone, driver)
        connections = BlockingConnections(lease, driver, asked)
        model = self._model(name, lambda connect: sqlalchemy.create_engine(url, creator=connect), url)
        on_connect: Any = model.dialect.on_connect_url(url)

        def connect(record: Any) -> Any:
            def open_one() -> Any:
                return connections.open(model.arguments)

            return _connected(model, lease, connections, record, (open_one, open_one))

        engine = model.engine(lease, url, connect)
        if on_connect is not None:
            event.listen(engine.pool, "connect", lambda connection, _: on_connect(connection))
        in_child(engine, _start_anew)
        try:
            yield engine
        finally:
            connections.end(engine)
            self._check(name)

    def asynchronous(
        self, lease: DatabaseLease, driver: str, asked: str = "isolated_engine_async", *, keep: bool
    ) -> tuple[AsyncEngine, Callable[[], Awaitable[None]]]:
        """Return an engine with asynchronous connections, and what ends the test's use of it.

        Args:
            lease: The test's database.
            driver: One of `ASYNCHRONOUS`.
            asked: See `blocking`.
            keep: The running loop serves later tests too, so that connections are worth keeping.
        """
        from sqlalchemy.ext.asyncio import AsyncEngine  # noqa: PLC0415 - for its users

        name = f"postgresql+{driver}+async"
        url = sqlalchemy_url(lease.clone, driver)
        connections = AsynchronousConnections(lease, driver, asked, self._kept, keep=keep)
        model = self._model(name, lambda connect: _first_async(url, connect), url)

        def connect(record: Any) -> Any:
            def open_one() -> Any:
                return connections.connect(model.dialect, model.arguments)

            return _connected(model, lease, connections, record, (connections.open, open_one))

        engine = model.engine(lease, url, connect)
        connections.prepare(engine, model.dialect.on_connect_url(url))

        async def end() -> None:
            await connections.end(engine)
            self._check(name)

        return AsyncEngine(engine), end

    def _model(self, name: str, create: Callable[[Callable[..., Any]], Engine], url: sqlalchemy.URL) -> EngineModel:
        if name not in self._models:
            self._models[name] = EngineModel(url, create)
        return self._models[name]

    def _check(self, name: str) -> None:
        """Let the next test begin with another dialect where this one has changed it."""
        if name in self._models and not self._models[name].is_clean:
            del self._models[name]

    def pids(self, clone: Clone) -> list[int]:
        """Return the backends that are connected to a database for a later test."""
        return self._kept.pids(clone)

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends."""
        self._kept.close_loop()

    def abandon(self) -> None:
        """Close what belongs to loops that do not end yet."""
        self._kept.abandon()


def _connected(
    model: EngineModel,
    lease: DatabaseLease,
    connections: BlockingConnections | AsynchronousConnections,
    record: Any,
    openers: tuple[Callable[..., Any], Callable[[], Any]],
) -> Any:
    """Return a new connection of a test's engine, whose dialect knows the database as it was at the first one.

    Args:
        model: The engine's.
        lease: The test's database.
        connections: The engine's.
        record: What has the connection in the engine's pool.
        openers: Open a connection: for the model's own engine, and for the pool.
    """
    for_model, for_pool = openers
    is_used, is_first = lease.is_used, connections.begin()
    model.prepare(for_model, connections.note, is_used=is_used)
    connections.note(record)
    connection = for_pool()
    if is_first and not model.suits(connection, is_used=is_used):
        model.prepare_anew(for_model, connections.note)
        connection = for_pool()
    return connection


def _first_async(url: sqlalchemy.URL, connect: Callable[..., Any]) -> Engine:
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - for its users

    return create_async_engine(url, connect_args={"async_creator_fn": connect}).sync_engine


def _start_anew(engine: Engine) -> None:
    """In a forked child: leave the parent's connections alone."""
    engine.dispose(close=False)


def chosen_driver(fixture: str, drivers: tuple[str, ...]) -> str:
    """Return the first driver that is installed.

    Raises:
        MissingDriverError: None is.
    """
    for name in drivers:
        with contextlib.suppress(MissingDriverError):
            imported(name, fixture)
            return name
    imported(drivers[0], fixture)
    raise AssertionError(drivers)
