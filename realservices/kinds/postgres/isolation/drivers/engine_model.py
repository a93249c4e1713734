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
        self._is_prepared = self._is_spoilt = False

    def prepare(self, connect: Callable[..., Any], note: Callable[[Any], None]) -> None:
        """Let the dialect ask the server, once.

        Args:
            connect: Connects.
            note: Is told the record of the pool that has the connection.
        """
        # Tasks take turns by themselves; waiting for each other here they would hold up their loop.
        with contextlib.nullcontext() if self.dialect.is_async else self._lock:
            if self._is_prepared:
                return
            self._is_spoilt = not self.is_clean
            self._connect = connect
            event.listen(self._engine, "connect", lambda _, record: note(record), once=True)
            with self._engine.connect():
                self._state = dict(vars(self.dialect))
            self._is_prepared = True

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


def _arguments(dialect: Any, url: sqlalchemy.URL) -> dict[str, Any]:
    return {name: value for name, value in dialect.create_connect_args(url)[1].items() if name in _KEPT_ARGUMENTS}
