"""What a psycopg2 connection of one test does not get from the test before, though it is the same object."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.extras
import pytest
from psycopg2 import extensions

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.drivers.psycopg2_connections import connect, release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation


@contextlib.contextmanager
def _use(postgres: PostgresIsolation) -> Iterator[Any]:
    """Use a connection as one test does."""
    with postgres.leases.lease() as lease:
        connection = connect(lease)
        try:
            yield connection
        finally:
            release(connection)


def _value(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
        return row[0] if row else None


def _pid_of_a_test(postgres: PostgresIsolation, work: Callable[[Any], object]) -> int:
    with _use(postgres) as connection:
        work(connection)
        return int(connection.get_backend_pid())


def _nothing(_: Any) -> None:
    pass


def test_session_is_kept(postgres: PostgresIsolation) -> None:
    pid = _pid_of_a_test(postgres, _nothing)
    assert _pid_of_a_test(postgres, _nothing) == pid


_CLIENTS_OWN: dict[str, tuple[Callable[[Any], object], Callable[[Any], object]]] = {
    "autocommit": (lambda c: setattr(c, "autocommit", True), lambda c: c.autocommit),
    "isolation_level": (
        lambda c: c.set_isolation_level(extensions.ISOLATION_LEVEL_SERIALIZABLE),
        lambda c: c.isolation_level,
    ),
    "session": (lambda c: c.set_session(readonly=True, deferrable=True), lambda c: (c.readonly, c.deferrable)),
    "cursor_factory": (
        lambda c: setattr(c, "cursor_factory", psycopg2.extras.RealDictCursor),
        lambda c: c.cursor_factory,
    ),
    "types": (
        lambda c: extensions.register_type(extensions.new_type((23,), "TEXT", lambda value, _: f"<{value}>"), c),
        lambda c: _value(c, "SELECT 1"),
    ),
    "types of binaries": (lambda c: c.binary_types.update({1: extensions.UNICODE}), lambda c: dict(c.binary_types)),
    "notices": (lambda c: c.notices.append("mine"), lambda c: list(c.notices)),
    "what takes notices": (lambda c: setattr(c, "notices", ("mine",)), lambda c: c.notices),
    "notifies": (lambda c: c.notifies.append("mine"), lambda c: list(c.notifies)),
    "encoding": (lambda c: c.set_client_encoding("LATIN1"), lambda c: c.encoding),
}


@pytest.mark.parametrize("name", _CLIENTS_OWN)
def test_what_the_client_has_set_is_gone(postgres: PostgresIsolation, name: str) -> None:
    change, look = _CLIENTS_OWN[name]
    with _use(postgres) as connection:
        before = look(connection)
        connection.rollback()
        change(connection)
        assert look(connection) != before
    del connection
    with _use(postgres) as connection:
        assert look(connection) == before


def _prepare_for_two_phases(connection: Any) -> None:
    connection.tpc_begin("mine")


def _refused(connection: Any, sql: str) -> None:
    with pytest.raises(psycopg2.Error):
        _value(connection, sql)


_LEFT: dict[str, Callable[[Any], object]] = {
    "a transaction": lambda c: _value(c, "SELECT 1"),
    "a failed transaction": lambda c: _refused(c, "SELECT nothing"),
    "a cursor of the server's": lambda c: c.cursor("mine").execute("SELECT 1"),
    "a closed connection": lambda c: c.close(),
    "a transaction of two phases": _prepare_for_two_phases,
    "a backend that has ended": lambda c: _refused(c, "SELECT pg_terminate_backend(pg_backend_pid())"),
    "a setting of its own": lambda c: _value(c, "SELECT set_config('app.tenant', 'mine', true)"),
    "a notification": lambda c: (c.cursor().execute("LISTEN a; NOTIFY a"), c.commit()),
}


@pytest.mark.parametrize("left", _LEFT)
def test_whatever_is_left_the_next_test_can_work(postgres: PostgresIsolation, left: str) -> None:
    with _use(postgres) as connection:
        _LEFT[left](connection)
    del connection
    with _use(postgres) as connection:
        assert _value(connection, "SELECT current_setting('app.tenant', true)") is None
        connection.commit()
        connection.poll()
        assert connection.notifies == []


def test_connection_that_somebody_still_has_is_not_used_again(postgres: PostgresIsolation) -> None:
    had: list[Any] = []
    pid = _pid_of_a_test(postgres, had.append)
    with pytest.raises(IsolationError, match=r"isolated_psycopg2 \(or of an engine\) belongs to a test that has ended"):
        had[0].cursor()
    with pytest.raises(IsolationError, match=r"isolated_psycopg2 \(or of an engine\) belongs to a test that has ended"):
        had[0].commit()
    with _use(postgres) as connection:
        assert connection is not had[0]
        assert connection.get_backend_pid() != pid
        assert had[0].closed


def test_cursor_that_somebody_still_has_is_closed(postgres: PostgresIsolation) -> None:
    had: list[Any] = []
    pid = _pid_of_a_test(postgres, lambda connection: had.append(connection.cursor()))
    with pytest.raises(psycopg2.InterfaceError, match="cursor already closed"):
        had[0].execute("SELECT 1")
    assert _pid_of_a_test(postgres, _nothing) != pid


@pytest.mark.parametrize(
    "ask", [lambda c: c.dsn, lambda c: c.info.dbname, lambda c: c.info.dsn_parameters, lambda c: c.get_dsn_parameters()]
)
def test_who_asked_how_to_connect_does_not_come_into_the_next_test(
    postgres: PostgresIsolation, ask: Callable[[Any], Any]
) -> None:
    with _use(postgres) as connection:
        assert ask(connection)
        name = _value(connection, "SELECT current_database()")
    del connection
    with _use(postgres) as connection:
        assert _value(connection, "SELECT current_database()") != name


def test_attributes_are_refused_as_psycopg2_does(postgres: PostgresIsolation) -> None:
    with _use(postgres) as connection, pytest.raises(AttributeError, match="no attribute 'mine'"):
        connection.mine = 1
