"""SQLAlchemy's engines on a test's database.

Engine and pool are new for each test, with events and options of its own. Kept are the dialect, which has asked the
server what it is, the cache of compiled statements, and connections as their drivers keep them.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import Engine

from realservices.isolation.errors import IsolationError
from realservices.isolation.postgres.drivers.forks import in_child
from realservices.isolation.postgres.drivers.imports import MissingDriverError
from realservices.isolation.postgres.drivers.imports import driver as imported
from realservices.isolation.postgres.drivers.urls import sqlalchemy_url
from realservices.isolation.postgres.kept_connection import KeptConnections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from realservices.isolation.postgres.clones import Clone
    from realservices.isolation.postgres.drivers.lease import DatabaseLease

BLOCKING = ("psycopg", "psycopg2")
"""Drivers of `isolated_engine`; the first one that is installed is the default."""
ASYNCHRONOUS = ("asyncpg", "psycopg")
"""Drivers of `isolated_engine_async`, see there."""
# Arguments of drivers that are not about where the database is.
_KEPT_ARGUMENTS = {"context", "prepared_statement_cache_size", "prepared_statement_name_func"}


class IsolatedEngine(Engine):
    """An engine that notes when code of a test asks for its URL."""

    _lease: DatabaseLease

    @property
    def url(self) -> sqlalchemy.URL:
        """The database's URL, over TCP. `render_as_string(hide_password=False)` has the password."""
        self._lease.is_known = True
        return self._url

    @url.setter
    def url(self, url: sqlalchemy.URL) -> None:
        self._url = url


@dataclass(slots=True)
class _Model:
    """What the engines of all tests have in common.

    Attributes:
        dialect: SQLAlchemy's; it has seen the server.
        state: The dialect's attributes, to find out whether a test has changed them.
        cache: Compiled statements.
        arguments: Arguments of the driver.
    """

    dialect: Any
    state: dict[str, Any]
    cache: Any
    arguments: dict[str, Any]

    @classmethod
    def of(cls, engine: Engine, url: sqlalchemy.URL) -> _Model:
        """Return what an engine has that is connected to a database."""
        return cls(engine.dialect, dict(vars(engine.dialect)), engine._compiled_cache, _arguments(engine.dialect, url))

    def engine(self, lease: DatabaseLease, url: sqlalchemy.URL, creator: Callable[[Any], Any]) -> IsolatedEngine:
        """Return a new engine."""
        pool = self.dialect.get_dialect_pool_class(url)(creator, dialect=self.dialect)
        engine = IsolatedEngine.__new__(IsolatedEngine)
        engine._lease = lease
        engine.__init__(pool, self.dialect, url)  # type: ignore[misc]  # it needs the lease for its attribute url
        engine._compiled_cache = self.cache
        return engine

    @property
    def is_clean(self) -> bool:
        """Whether tests have left the dialect as it was, without events; what it memoizes does not count."""
        now = vars(self.dialect)
        if any(now.get(name, _model_is_other) is not value for name, value in self.state.items()):
            return False
        return all(self._is_memoized(name) for name in now.keys() - self.state.keys())

    def _is_memoized(self, name: str) -> bool:
        attribute = inspect.getattr_static(type(self.dialect), name, None)
        if name == "dispatch" or isinstance(attribute, (types.FunctionType, classmethod, staticmethod)):
            return False
        return hasattr(type(attribute), "__get__") and not hasattr(type(attribute), "__set__")


_model_is_other = object()


class Engines:
    """The engines of one process on one service, each for one test."""

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}
        self._kept = KeptConnections()

    @contextlib.contextmanager
    def blocking(self, lease: DatabaseLease, driver: str) -> Iterator[Engine]:
        """Give an engine with blocking connections.

        Args:
            lease: The test's database.
            driver: One of `BLOCKING`.
        """
        name = f"postgresql+{driver}"
        url = sqlalchemy_url(lease.clone, driver)
        connections = _Blocking(lease, driver)
        model = self._models.get(name)
        if model is None:
            first: Engine = sqlalchemy.create_engine(
                url, creator=lambda record: connections.connect(record, _arguments(first.dialect, url))
            )
            with first.connect():
                model = self._models[name] = _Model.of(first, url)
            connections.end(first)
        arguments = model.arguments
        engine = model.engine(lease, url, lambda record: connections.connect(record, arguments))
        on_connect: Any = model.dialect.on_connect_url(url)
        if on_connect is not None:
            event.listen(engine.pool, "connect", lambda connection, _: on_connect(connection))
        in_child(engine, _start_anew)
        try:
            yield engine
        finally:
            connections.end(engine)
            if not model.is_clean:
                self._models.pop(name, None)

    @contextlib.asynccontextmanager
    async def asynchronous(self, lease: DatabaseLease, driver: str, *, keep: bool) -> AsyncIterator[AsyncEngine]:
        """Give an engine with asynchronous connections, in the running loop.

        Args:
            lease: The test's database.
            driver: One of `ASYNCHRONOUS`.
            keep: The running loop serves later tests too, so that connections are worth keeping.
        """
        from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine  # noqa: PLC0415 - for its users

        name = f"postgresql+{driver}+async"
        url = sqlalchemy_url(lease.clone, driver)
        async with contextlib.AsyncExitStack() as stack:
            connections = _Asynchronous(lease, driver, self._kept if keep else KeptConnections(), stack, keep=keep)
            model = self._models.get(name)
            if model is None:
                first = create_async_engine(url, connect_args={"async_creator_fn": connections.open})
                event.listen(first.sync_engine, "connect", lambda _, record: connections.note(record))
                async with first.connect():
                    model = self._models[name] = _Model.of(first.sync_engine, url)
                connections.end(first.sync_engine)
            dialect, arguments = model.dialect, model.arguments
            engine = model.engine(lease, url, lambda record: connections.connect(record, dialect, arguments))
            connections.prepare(engine, dialect.on_connect_url(url))
            try:
                yield AsyncEngine(engine)
            finally:
                connections.end(engine)
                if not model.is_clean:
                    self._models.pop(name, None)

    def pids(self, clone: Clone) -> list[int]:
        """Return the backends that are connected to a database for a later test."""
        return self._kept.pids(clone)

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends."""
        await self._kept.close_loop()


class _Blocking:
    """The connections of one engine."""

    def __init__(self, lease: DatabaseLease, driver: str) -> None:
        self._lease = lease
        self._records: list[Any] = []
        self._opened: list[Any] = []
        if driver == "psycopg":
            from realservices.isolation.postgres.drivers import psycopg_connections as connections  # noqa: PLC0415

            self._connect: Any = connections.connect
            self._release: Any = connections.release
        else:
            from realservices.isolation.postgres.drivers import psycopg2_connections  # noqa: PLC0415

            self._connect = psycopg2_connections.connect
            self._release = psycopg2_connections.release

    def connect(self, record: Any, arguments: dict[str, Any]) -> Any:
        """Connect for a pool's record."""
        connection = self._connect(self._lease, **arguments)
        self._records.append(record)
        self._opened.append(connection)
        return connection

    def end(self, engine: Engine) -> None:
        """Take the connections out of the pool, reset. Those that are still checked out are closed."""
        for record in _idle(self._records):
            record.dbapi_connection = None
        while self._opened:
            self._release(self._opened.pop())
        engine.pool.dispose()


class _Asynchronous:
    """The connections of one engine, in one loop."""

    def __init__(
        self,
        lease: DatabaseLease,
        driver: str,
        kept: KeptConnections,
        stack: contextlib.AsyncExitStack,
        *,
        keep: bool,
    ) -> None:
        self._lease = lease
        self._driver = driver
        self._kept = kept
        self._stack = stack
        self._keep = keep and lease.keeps
        self._loop = asyncio.get_running_loop()
        self._records: list[Any] = []

    async def open(self, *_: Any, context: Any = None, **__: Any) -> Any:
        """Return a connection of the driver, which is left with the stack."""
        if self._driver == "asyncpg":
            return await self._stack.enter_async_context(self._kept.connection(self._lease.clone, keep=self._keep))
        from realservices.isolation.postgres.drivers import psycopg_connections  # noqa: PLC0415 - for its users

        connection = await psycopg_connections.connect_async(self._lease, context=context)
        self._stack.callback(psycopg_connections.release, connection)
        return connection

    def connect(self, record: Any, dialect: Any, arguments: dict[str, Any]) -> Any:
        """Connect for a pool's record."""
        self._check_loop()
        connection = dialect.connect(async_creator_fn=self.open, **arguments)
        self.note(record)
        return connection

    def note(self, record: Any) -> None:
        """Note a pool's record, which has a connection."""
        self._records.append(record)

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
        event.listen(engine.pool, "checkout", lambda *_: self._check_loop())

    def end(self, engine: Engine) -> None:
        """Take the connections out of the pool, for the stack to end them. Those that are checked out are closed."""
        for record in _idle(self._records):
            record.dbapi_connection = None
        engine.pool.dispose()

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise IsolationError(
                "isolated_engine_async belongs to the event loop of its test, and is used in another one. In a thread "
                "use isolated_engine; for asyncio.run() make an engine of cloned_database.url_for('postgresql+asyncpg')"
            )


def _idle(records: list[Any]) -> Iterator[Any]:
    """Yield the records whose connection nobody has checked out; close the connection of the others."""
    for record in records:
        fairy = record.fairy_ref() if record.fairy_ref is not None else None
        if fairy is not None:
            fairy.invalidate()
        elif record.dbapi_connection is not None:
            yield record


def _arguments(dialect: Any, url: sqlalchemy.URL) -> dict[str, Any]:
    return {name: value for name, value in dialect.create_connect_args(url)[1].items() if name in _KEPT_ARGUMENTS}


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
