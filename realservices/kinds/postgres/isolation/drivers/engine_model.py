"""What the engines of all tests have in common: a dialect that has asked the server what it is, compiled statements."""

from __future__ import annotations

import contextlib
import inspect
import threading
import types
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy

    from realservices.kinds.postgres.isolation.drivers.lease import DatabaseLease

# What a dialect asks the server for, and a test may change in its database: one row.
_FACTS = """SELECT to_regtype('hstore')::oid, current_schema(), current_setting('default_transaction_isolation'),
    current_setting('standard_conforming_strings')"""
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


class EngineModel:
    """What the engines of all tests have in common.

    Its own engine is nobody's: by it the dialect asks the server what it is, when the first test connects.

    Attributes:
        dialect: SQLAlchemy's.
        arguments: Arguments of the driver.

    Args:
        url: Of any database.
        create: Creates an engine that connects by a function of ours.
    """

    def __init__(self, url: sqlalchemy.URL, create: Callable[[Callable[..., Any]], Engine]) -> None:
        self._engine = create(lambda *args, **kwargs: self._connect(*args, **kwargs))
        self._connect: Any = None
        self._lock = threading.Lock()
        self.dialect: Any = self._engine.dialect
        self.arguments = _arguments(self.dialect, url)
        self._state = dict(vars(self.dialect))
        self._found: set[str] = set()  # Attributes that the dialect has since it has asked.
        self._facts: object = None
        self._is_prepared = self._is_spoilt = self._is_doubtful = False

    def prepare(self, connect: Callable[..., Any], note: Callable[[Any], None], *, is_used: bool) -> None:
        """Let the dialect ask the server, once.

        Args:
            connect: Connects.
            note: Is told the record of the pool that has the connection.
            is_used: The test's database may be another one already than those of later tests.
        """
        # Tasks take turns by themselves; waiting for each other here they would hold up their loop.
        with contextlib.nullcontext() if self.dialect.is_async else self._lock:
            if self._is_prepared:
                return
            self._is_spoilt, self._is_doubtful = not self.is_clean, is_used
            with self._connected(connect, note) as connection:
                self._facts = _facts(connection.connection.dbapi_connection)
                self._found = vars(self.dialect).keys() - self._state.keys()
                self._state = dict(vars(self.dialect))
            self._is_prepared = True

    def suits(self, connection: Any, *, is_used: bool) -> bool:
        """Return whether the dialect knows a database as it is.

        Args:
            connection: To the database, as the dialect has it.
            is_used: A client of the test may have changed it.
        """
        return not (is_used or self._is_doubtful) or _facts(connection) == self._facts

    def prepare_anew(self, connect: Callable[..., Any], note: Callable[[Any], None]) -> None:
        """Let the dialect ask the server again, for one test; see `prepare`."""
        self._is_spoilt = True
        now = vars(self.dialect)
        for name in [name for name in now if name in self._found or self._is_memoized(name)]:
            del now[name]
        self._engine.clear_compiled_cache()
        with self._connected(connect, note) as connection:
            self.dialect.initialize(connection)

    def _connected(self, connect: Callable[..., Any], note: Callable[[Any], None]) -> Any:
        self._connect = connect
        event.listen(self._engine, "connect", lambda _, record: note(record), once=True)
        return self._engine.connect()

    def engine(self, lease: DatabaseLease, url: sqlalchemy.URL, creator: Callable[[Any], Any]) -> IsolatedEngine:
        """Return a new engine."""
        pool = self.dialect.get_dialect_pool_class(url)(creator, dialect=self.dialect)
        engine = IsolatedEngine.__new__(IsolatedEngine)
        engine._lease = lease
        engine.__init__(pool, self.dialect, url)  # type: ignore[misc]  # it needs the lease for its attribute url
        engine._compiled_cache = self._engine._compiled_cache
        return engine

    @property
    def is_clean(self) -> bool:
        """Whether tests have left the dialect as it was, without events; what it memoizes does not count."""
        now, missing = vars(self.dialect), object()
        if self._is_spoilt or any(now.get(name, missing) is not value for name, value in self._state.items()):
            return False
        return all(self._is_memoized(name) for name in now.keys() - self._state.keys())

    def _is_memoized(self, name: str) -> bool:
        attribute = inspect.getattr_static(type(self.dialect), name, None)
        if name == "dispatch" or isinstance(attribute, (types.FunctionType, classmethod, staticmethod)):
            return False
        return hasattr(type(attribute), "__get__") and not hasattr(type(attribute), "__set__")


def _facts(connection: Any) -> object:
    """Ask for what a dialect knows of a database, without a transaction."""
    connection.autocommit = True
    try:
        cursor = connection.cursor()
        cursor.execute(_FACTS)
        facts = cursor.fetchone()
        cursor.close()
    finally:
        connection.autocommit = False
    return tuple(facts)


def _arguments(dialect: Any, url: sqlalchemy.URL) -> dict[str, Any]:
    return {name: value for name, value in dialect.create_connect_args(url)[1].items() if name in _KEPT_ARGUMENTS}
