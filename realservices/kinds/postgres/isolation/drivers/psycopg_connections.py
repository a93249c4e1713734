"""Connections of psycopg 3 to a test's database, asynchronous and blocking ones.

What outlives a test is libpq's connection alone, reset: the next test gets another object around it, with adapters, row
factories and handlers of its own, and the object that the last test has had is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.adapt import AdaptersMap

from realservices.isolation.errors import IsolationError, ended
from realservices.isolation.own_process import OwnProcess
from realservices.kinds.postgres.isolation.drivers import session_state
from realservices.kinds.postgres.isolation.drivers.forks import cut, in_child
from realservices.kinds.postgres.isolation.drivers.libpq import (
    parameters,
    says_something,
    sever,
    without_developers_variables,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from realservices.kinds.postgres.isolation.drivers.lease import DatabaseLease

T = TypeVar("T")
C = TypeVar("C", bound="_Isolated")
_DRIVER = "psycopg"
_NAME = "a connection of isolated_psycopg (or of an engine)"
_RESET_TIMEOUT_MS = 10_000
_IN_CHILD = "In the child connect by cloned_database.url, or by isolated_engine.url"
_STATUS = pq.TransactionStatus
_GOOD = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


@dataclass(slots=True)
class _Session:
    """A connection of libpq's, and its state when it was new; empty: it is not worth keeping."""

    pgconn: Any
    state: bytes

    @property
    def pid(self) -> int:
        return int(self.pgconn.backend_pid)

    def close(self) -> None:
        self.pgconn.finish()

    def is_alone(self) -> bool:
        return self.pgconn.status == pq.ConnStatus.OK and not says_something(self.pgconn.socket)

    def is_as_new(self) -> bool:
        try:
            return _state(self.pgconn) == self.state
        except psycopg.Error:
            return False


class _Isolated:
    """What both kinds of connections have in common."""

    pgconn: Any
    _lease: DatabaseLease | None = None
    _process: OwnProcess | None = None
    _session: _Session | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _waiting: int = 0

    @property
    def info(self) -> psycopg.ConnectionInfo:
        """Information about the connection."""
        return _Info(self.pgconn, self._lease)

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """Return a new cursor."""
        self._check()
        return super().cursor(*args, **kwargs)  # type: ignore[misc]  # psycopg's own

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        """Count what waits for the server: tasks and threads that a test leaves behind."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def cut_off(self) -> bool:
        """Cut off what waits for the server; return whether anything does."""
        if not self._waiting or self.pgconn.status != pq.ConnStatus.OK:
            return False
        sever(self.pgconn.socket)
        return True

    def _check(self) -> None:
        if self.pgconn is _DEAD:
            raise ended(_NAME)
        if self._process is not None:
            self._process.require(_NAME, _IN_CHILD)


class IsolatedPsycopg(_Isolated, psycopg.Connection[Any]):
    """A blocking connection for one test."""

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """Run one of psycopg's generators; everything that is sent passes here."""
        self._check()
        with self._counted():
            return super().wait(gen, *args, **kwargs)


class IsolatedPsycopgAsync(_Isolated, psycopg.AsyncConnection[Any]):
    """An asynchronous connection for one test."""

    async def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """Run one of psycopg's generators; everything that is sent passes here."""
        self._check()
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            raise IsolationError(
                "isolated_psycopg_async belongs to the event loop of its test, and is used in another one. In a thread "
                "use isolated_psycopg or isolated_engine; for asyncio.run() connect by cloned_database.url"
            )
        with self._counted():
            return await super().wait(gen, *args, **kwargs)


class _Info(psycopg.ConnectionInfo):
    """Notes where code of a test asks how to connect to its database."""

    def __init__(self, pgconn: Any, lease: DatabaseLease | None) -> None:
        super().__init__(pgconn)
        self._lease = lease

    def get_parameters(self) -> dict[str, str]:
        self._note()
        return super().get_parameters()

    @property
    def dsn(self) -> str:
        self._note()
        return super().dsn

    @property
    def dbname(self) -> str:
        self._note()
        return super().dbname

    def _note(self) -> None:
        if self._lease is not None:
            self._lease.is_known = True


def connect(lease: DatabaseLease, *, context: Any = None) -> IsolatedPsycopg:
    """Connect to a test's database. `release` ends it.

    Args:
        lease: The database.
        context: See `psycopg.Connection.connect`.
    """
    return _wrap(IsolatedPsycopg, lease, lease.take(_DRIVER) or _open(lease), context)


async def connect_async(lease: DatabaseLease, *, context: Any = None) -> IsolatedPsycopgAsync:
    """Connect to a test's database from the running loop; see `connect`."""
    return _in_loop(lease, lease.take(_DRIVER) or await asyncio.to_thread(_open, lease), context)


def connect_at_once(lease: DatabaseLease) -> IsolatedPsycopgAsync:
    """Do the same where nothing can be awaited; the loop waits for a new connection."""
    return _in_loop(lease, lease.take(_DRIVER) or _open(lease), None)


def release(connection: IsolatedPsycopg | IsolatedPsycopgAsync) -> None:
    """End a test's use of a connection: reset it for the next test, or close it."""
    lease, session = connection._lease, connection._session
    if lease is None or session is None or not lease.process.is_this:
        return
    pgconn, connection.pgconn = connection.pgconn, _DEAD
    pgconn.notice_handler = pgconn.notify_handler = None
    with contextlib.suppress(psycopg.Error):  # Not in every libpq.
        pgconn.untrace()
    # A generator that was left within `connection.transaction()` ends it when collected: quietly, if this is closed.
    is_left = getattr(connection, "_num_transactions", 0) > 0
    if connection._waiting:
        sever(pgconn.socket)  # psycopg would go on in memory that `finish` has freed.
    elif lease.keeps and session.state and not is_left and _reset(session):
        lease.idle.put(_DRIVER, lease.clone, session)
    else:
        session.close()


def _in_loop(lease: DatabaseLease, session: _Session, context: Any) -> IsolatedPsycopgAsync:
    connection = _wrap(IsolatedPsycopgAsync, lease, session, context)
    connection._loop = asyncio.get_running_loop()
    return connection


def _open(lease: DatabaseLease) -> _Session:
    with without_developers_variables():
        connection = psycopg.Connection.connect(**parameters(lease.clone), autocommit=True)
    pgconn, connection.pgconn = connection.pgconn, _DEAD
    pgconn.notice_handler = pgconn.notify_handler = None
    in_child(pgconn, _cut)
    session = _Session(pgconn, b"")
    if lease.keeps:
        _ask(pgconn, session_state.PREPARE)
        session.state = _state(pgconn)
    return session


def _wrap(kind: type[C], lease: DatabaseLease, session: _Session, context: Any) -> C:
    connection: Any = kind(session.pgconn)  # type: ignore[call-arg]  # psycopg's own
    connection._lease, connection._session, connection._process = lease, session, OwnProcess()
    if context is not None:  # As Connection.connect does.
        connection._adapters = AdaptersMap(context.adapters)
    return connection


def _reset(session: _Session) -> bool:
    """Return whether the session is as a new one."""
    pgconn = session.pgconn
    if pgconn.status != pq.ConnStatus.OK or pgconn.pipeline_status != pq.PipelineStatus.OFF:
        return False
    if pgconn.transaction_status in (_STATUS.ACTIVE, _STATUS.UNKNOWN):
        return False
    try:
        if pgconn.transaction_status != _STATUS.IDLE and _ask(pgconn, "ROLLBACK") is None:
            return False
        if _ask(pgconn, session_state.RESET) is None or not session.is_as_new():
            return False
        while pgconn.notifies() is not None:
            pass
    except psycopg.Error:
        return False
    return session.is_alone()


def _state(pgconn: Any) -> bytes:
    result = _ask(pgconn, session_state.STATE)
    return (result.get_value(0, 0) or b"") if result is not None else b""


def _ask(pgconn: Any, sql: str) -> Any:
    """Run one statement; return its result, or None where it failed, or took too long."""
    pgconn.send_query(sql.encode())
    results: list[Any] = []
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    while True:
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                return results[-1] if results and results[-1].status in _GOOD else None
            results.append(result)
        if not poll.poll(_RESET_TIMEOUT_MS):
            return None
        pgconn.consume_input()


def _cut(pgconn: Any) -> None:
    if pgconn.status == pq.ConnStatus.OK:
        cut(pgconn.socket)


def _dead() -> Any:
    pgconn = pq.PGconn.connect_start(b"host=/ dbname=none")
    pgconn.finish()
    return pgconn


# In the place of libpq's connection in objects whose test is over: they are closed.
_DEAD = _dead()
