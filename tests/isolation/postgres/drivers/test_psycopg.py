"""What a psycopg connection of one test does not get from the test before, though the session is kept."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.drivers.psycopg_connections import connect, connect_async, release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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
    return connection.execute(sql).fetchone()[0]


_PID = "SELECT pg_backend_pid()"


def test_session_is_kept(postgres: PostgresIsolation) -> None:
    with _use(postgres) as connection:
        pid = _value(connection, _PID)
    with _use(postgres) as connection:
        assert _value(connection, _PID) == pid


async def test_session_is_kept_between_blocking_and_asynchronous_connections(postgres: PostgresIsolation) -> None:
    with postgres.leases.lease() as lease:
        connection = await connect_async(lease)
        cursor = await connection.execute(_PID)
        pid = await cursor.fetchone()
        release(connection)
    with _use(postgres) as blocking:
        assert (_value(blocking, _PID),) == pid


def _register_adapter(connection: Any) -> None:
    connection.adapters.register_loader("int4", psycopg.types.string.TextLoader)


_CLIENTS_OWN: dict[str, tuple[Callable[[Any], object], Callable[[Any], object]]] = {
    "autocommit": (lambda c: setattr(c, "autocommit", True), lambda c: c.autocommit),
    "isolation_level": (
        lambda c: setattr(c, "isolation_level", psycopg.IsolationLevel.SERIALIZABLE),
        lambda c: c.isolation_level,
    ),
    "read_only": (lambda c: setattr(c, "read_only", True), lambda c: c.read_only),
    "row_factory": (lambda c: setattr(c, "row_factory", dict_row), lambda c: c.row_factory),
    "cursor_factory": (lambda c: setattr(c, "cursor_factory", psycopg.ClientCursor), lambda c: c.cursor_factory),
    "prepare_threshold": (lambda c: setattr(c, "prepare_threshold", 0), lambda c: c.prepare_threshold),
    "adapters": (_register_adapter, lambda c: c.execute("SELECT 1").fetchone()),
    "notices": (lambda c: c.add_notice_handler(print), lambda c: list(c._notice_handlers)),
    "notifies": (lambda c: c.add_notify_handler(print), lambda c: list(c._notify_handlers)),
    "attributes": (lambda c: setattr(c, "mine", 1), lambda c: hasattr(c, "mine")),
}


@pytest.mark.parametrize("name", _CLIENTS_OWN)
def test_what_the_client_has_set_is_gone(postgres: PostgresIsolation, name: str) -> None:
    change, look = _CLIENTS_OWN[name]
    with _use(postgres) as connection:
        before, pid = look(connection), connection.pgconn.backend_pid
        connection.rollback()
        change(connection)
        assert look(connection) != before
    with _use(postgres) as connection:
        assert look(connection) == before
        assert connection.pgconn.backend_pid == pid


def _leave_a_copy(connection: Any) -> None:
    connection.cursor().copy("COPY pg_class TO STDOUT").__enter__()


def _leave_a_pipeline(connection: Any) -> None:
    connection.pipeline().__enter__()
    connection.execute("SELECT 1")


def _refused(connection: Any, sql: str) -> None:
    with pytest.raises(psycopg.Error):
        connection.execute(sql)


_LEFT: dict[str, Callable[[Any], object]] = {
    "a transaction": lambda c: c.execute("SELECT 1"),
    "a failed transaction": lambda c: _refused(c, "SELECT nothing"),
    "a copy": _leave_a_copy,
    "a pipeline": _leave_a_pipeline,
    "a cursor of the server's": lambda c: c.execute("DECLARE mine CURSOR WITH HOLD FOR SELECT 1"),
    "a closed connection": lambda c: c.close(),
    "a backend that has ended": lambda c: _refused(c, "SELECT pg_terminate_backend(pg_backend_pid())"),
    "a setting of its own": lambda c: c.execute("SELECT set_config('app.tenant', 'mine', false)"),
    "a setting of its own by a function": lambda c: c.execute("DO $$BEGIN SET app.tenant = 'mine'; COMMIT; END$$"),
    "a client encoding": lambda c: c.execute("SET client_encoding = 'latin1'"),
    "a notification": lambda c: (c.execute("LISTEN a; NOTIFY a"), c.commit()),
}


@pytest.mark.parametrize("left", _LEFT)
def test_whatever_is_left_the_next_test_can_work(postgres: PostgresIsolation, left: str) -> None:
    with _use(postgres) as connection:
        connection.autocommit = left.endswith("function")
        _LEFT[left](connection)
    with _use(postgres) as connection:
        assert _value(connection, "SELECT current_setting('app.tenant', true)") is None
        assert _value(connection, "SHOW client_encoding") == "UTF8"
        assert connection.info.encoding == "utf-8"
        connection.commit()
        assert list(connection.notifies(timeout=0)) == []


def test_object_of_an_earlier_test_is_closed(postgres: PostgresIsolation) -> None:
    with _use(postgres) as earlier:
        cursor = earlier.execute("SELECT 1")
    with _use(postgres) as connection:
        assert earlier.closed
        with pytest.raises(
            IsolationError, match=r"isolated_psycopg \(or of an engine\) belongs to a test that has ended"
        ):
            earlier.execute("SELECT 1")
        with pytest.raises(
            IsolationError, match=r"isolated_psycopg \(or of an engine\) belongs to a test that has ended"
        ):
            cursor.execute("SELECT 1")
        earlier.close()
        assert _value(connection, "SELECT 1") == 1


def test_generator_within_a_transaction_ends_quietly_after_its_test(postgres: PostgresIsolation) -> None:
    def rows(connection: Any) -> Iterator[Any]:
        with connection.transaction():
            yield from connection.execute("SELECT 1")

    with _use(postgres) as connection:
        left = rows(connection)
        assert next(left) == (1,)
    with _use(postgres) as connection:
        left.close()  # type: ignore[attr-defined]  # a generator
        assert _value(connection, "SELECT 1") == 1


def test_what_libpq_sends_is_traced_in_the_test_alone(postgres: PostgresIsolation, tmp_path: Path) -> None:
    with (tmp_path / "trace").open("w") as trace:
        with _use(postgres) as connection:
            connection.pgconn.trace(trace.fileno())
            _value(connection, "SELECT 'one'")
        with _use(postgres) as connection:
            _value(connection, "SELECT 'another'")
    traced = (tmp_path / "trace").read_text()
    assert "'one'" in traced
    assert "'another'" not in traced


async def test_task_that_still_waits_is_cut_off(postgres: PostgresIsolation) -> None:
    with postgres.leases.lease() as lease:
        connection = await connect_async(lease)
        task = asyncio.ensure_future(connection.execute("SELECT pg_sleep(60)"))
        async with asyncio.timeout(60):
            while connection.info.transaction_status != psycopg.pq.TransactionStatus.ACTIVE:
                await asyncio.sleep(0.001)
        release(connection)
    with pytest.raises(psycopg.OperationalError):
        await task


@pytest.mark.parametrize("ask", ["dsn", "dbname"])
def test_who_asked_how_to_connect_does_not_come_into_the_next_test(postgres: PostgresIsolation, ask: str) -> None:
    with _use(postgres) as connection:
        assert getattr(connection.info, ask)
        name = _value(connection, "SELECT current_database()")
    with _use(postgres) as connection:
        assert _value(connection, "SELECT current_database()") != name
        assert connection.info.dbname == _value(connection, "SELECT current_database()")


async def test_another_loop_is_refused(postgres: PostgresIsolation) -> None:
    with postgres.leases.lease() as lease:
        connection = await connect_async(lease)
        with pytest.raises(IsolationError, match="isolated_psycopg_async belongs to the event loop of its test"):
            _in_a_loop_of_its_own(lambda: connection.execute("SELECT 1"))
        release(connection)


def _in_a_loop_of_its_own(work: Callable[[], Any]) -> None:
    import threading  # noqa: PLC0415

    errors: list[BaseException] = []

    def run() -> None:
        async def main() -> None:
            await work()

        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - raised in the test
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
