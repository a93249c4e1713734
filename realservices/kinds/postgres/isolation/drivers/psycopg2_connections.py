"""Connections of psycopg2 to a test's database.

psycopg2 has no way to put another object around a connection, so the object itself goes to the next test, and only
where nobody else has it any more: whoever has it, or a cursor of it, counts among its references.
"""

from __future__ import annotations

import sys
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import extensions

from realservices.isolation.errors import ended
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
    from realservices.kinds.postgres.isolation.drivers.lease import DatabaseLease

_DRIVER = "psycopg2"
_NAME = "a connection of isolated_psycopg2 (or of an engine)"
_IN_CHILD = "In the child connect by cloned_database.url, or by isolated_engine.url"


class IsolatedPsycopg2(extensions.connection):
    """A connection for one test, and for a later one when the first is over.

    Attributes:
        lease: The database of the test that has it; None: it waits for the next one.
        state: That of a new session; empty: it is not worth keeping.
    """

    # psycopg2's own connections have no attributes but theirs, either.
    __slots__ = ("_cursors", "_encoding", "_process", "lease", "state")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lease: DatabaseLease | None = None
        self.state = ""
        self._encoding = self.encoding
        self._process = OwnProcess()
        self._cursors: weakref.WeakSet[Any] = weakref.WeakSet()

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """Return a new cursor."""
        self._check()
        cursor = super().cursor(*args, **kwargs)
        self._cursors.add(cursor)
        return cursor

    def commit(self) -> None:
        """Commit the transaction."""
        self._check()
        super().commit()

    def rollback(self) -> None:
        """Roll the transaction back."""
        self._check()
        super().rollback()

    def close(self) -> None:
        """Close the connection, unless it waits for the next test."""
        if self.lease is not None:
            super().close()

    @property
    def dsn(self) -> str:
        """How it was connected."""
        self._note()
        return str(super().dsn)

    @property
    def info(self) -> Any:
        """Information about the connection."""
        return _Info(self)

    def get_dsn_parameters(self) -> Any:
        """Return how it was connected."""
        self._note()
        return super().get_dsn_parameters()

    def begin_use(self, lease: DatabaseLease) -> None:
        """Begin a test's use."""
        self.lease = lease

    def cut_off(self) -> bool:
        """Cut off another thread that waits for the server, for which this one would wait; return whether one does."""
        if self.closed or self.get_transaction_status() != extensions.TRANSACTION_STATUS_ACTIVE:
            return False
        sever(self.fileno())
        return True

    def end_use(self) -> bool:
        """End a test's use; return whether the session is as a new one. Cursors of the test are closed."""
        self.cut_off()
        try:
            is_new = bool(self.state) and not self.closed and not self.isexecuting() and self._reset()
        except psycopg2.Error:
            is_new = False
        self.lease = None
        return is_new

    def _reset(self) -> bool:
        if self.status == extensions.STATUS_PREPARED:
            return False
        super().rollback()
        for cursor in list(self._cursors):
            cursor.close()
        self.set_session(isolation_level="DEFAULT", readonly="DEFAULT", deferrable="DEFAULT", autocommit=True)
        self._ask(session_state.RESET)
        state = self._ask(session_state.STATE)
        self.set_session(autocommit=False)
        connection: Any = self  # Its type stubs have attributes where the class has properties.
        connection.cursor_factory, connection.notices, connection.notifies = None, [], []
        self.string_types.clear()
        self.binary_types.clear()
        return self.encoding == self._encoding and state == self.state

    def remember(self) -> None:
        """Remember what a new session is like."""
        self.set_session(autocommit=True)
        self._ask(session_state.PREPARE)
        self.state = self._ask(session_state.STATE)
        self.set_session(autocommit=False)

    def is_as_new(self) -> bool:
        """Return whether the session, which no test uses, is as one that begins now."""
        self.set_session(autocommit=True)
        state = self._ask(session_state.STATE)
        self.set_session(autocommit=False)
        return state == self.state

    def _ask(self, sql: str) -> str:
        """Run one statement; return its first value, if it has one."""
        with super().cursor(cursor_factory=extensions.cursor) as cursor:
            cursor.execute(sql)
            return str(cursor.fetchall()[0][0]) if cursor.description else ""

    def _check(self) -> None:
        if self.lease is None:
            raise ended(_NAME)
        self._process.require(_NAME, _IN_CHILD)

    def _note(self) -> None:
        if self.lease is not None:
            self.lease.is_known = True


class _Info(extensions.ConnectionInfo):
    """Notes where code of a test asks how to connect to its database."""

    def __init__(self, connection: IsolatedPsycopg2) -> None:
        super().__init__(connection)
        self._connection = connection

    @property
    def dsn_parameters(self) -> Any:
        self._connection._note()
        return super().dsn_parameters

    @property
    def dbname(self) -> str:
        self._connection._note()
        return str(super().dbname)


@dataclass(slots=True)
class _Session:
    """A connection that waits for the next test."""

    connection: Any

    @property
    def pid(self) -> int:
        return int(self.connection.get_backend_pid())

    def close(self) -> None:
        extensions.connection.close(self.connection)

    def is_alone(self) -> bool:
        if sys.getrefcount(self.connection) != _REFERENCES or self.connection.closed:
            return False
        return not says_something(self.connection.fileno())

    def is_as_new(self) -> bool:
        try:
            return bool(self.connection.is_as_new())
        except psycopg2.Error:
            return False


# Of an object that a session has and nobody else; versions of Python differ.
_PROBE = _Session(object())
_REFERENCES = sys.getrefcount(_PROBE.connection)


def connect(lease: DatabaseLease) -> IsolatedPsycopg2:
    """Connect to a test's database. `release` ends it."""
    session = lease.take(_DRIVER)
    connection: IsolatedPsycopg2 = _open(lease) if session is None else session.connection
    connection.begin_use(lease)
    return connection


def release(connection: IsolatedPsycopg2) -> None:
    """End a test's use of a connection: reset it for the next test, or close it."""
    lease = connection.lease
    if lease is None or not lease.process.is_this:
        return
    if connection.end_use():
        lease.idle.put(_DRIVER, lease.clone, _Session(connection))
    else:
        extensions.connection.close(connection)


def _open(lease: DatabaseLease) -> IsolatedPsycopg2:
    with without_developers_variables():
        connection: IsolatedPsycopg2 = psycopg2.connect(connection_factory=IsolatedPsycopg2, **parameters(lease.clone))
    in_child(connection, _cut)
    if lease.keeps:
        connection.remember()
    return connection


def _cut(connection: IsolatedPsycopg2) -> None:
    if not connection.closed:
        cut(connection.fileno())
