"""What an engine of one test does not get from the test before, though dialect and connections are kept."""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy
from sqlalchemy import event, exc, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation

_DRIVERS = pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
_PID = text("SELECT pg_backend_pid()")


@contextlib.contextmanager
def _use(postgres: PostgresIsolation, driver: str) -> Iterator[Any]:
    """Use an engine as one test does."""
    with postgres.leases.lease() as lease, postgres.leases.engines.blocking(lease, driver) as engine:
        yield engine


def _pid(engine: Any) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(_PID))


@_DRIVERS
def test_connection_and_dialect_are_kept_and_the_engine_is_not(postgres: PostgresIsolation, driver: str) -> None:
    with _use(postgres, driver) as first:
        pid = _pid(first)
    with _use(postgres, driver) as second:
        assert _pid(second) == pid
        assert second is not first
        assert second.pool is not first.pool
        assert second.dialect is first.dialect


@_DRIVERS
def test_several_connections_at_once(postgres: PostgresIsolation, driver: str) -> None:
    for _ in range(2):
        with _use(postgres, driver) as engine, engine.connect() as one, engine.connect() as another:
            assert one.scalar(_PID) != another.scalar(_PID)


@_DRIVERS
def test_threads_have_connections_of_their_own(postgres: PostgresIsolation, driver: str) -> None:
    with _use(postgres, driver) as engine:
        meeting = threading.Barrier(4)
        pids: list[int] = []

        def work() -> None:
            with engine.connect() as connection:
                pids.append(connection.scalar(_PID))
                meeting.wait(10)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(pids)) == 4


def _listen(engine: Any, name: str, heard: list[str]) -> None:
    event.listen(engine, name, lambda *_, **__: heard.append(name))


@_DRIVERS
@pytest.mark.parametrize("name", ["connect", "checkout", "begin", "before_cursor_execute", "do_connect", "do_execute"])
def test_events_are_heard_in_their_test_and_not_in_the_next(
    postgres: PostgresIsolation, driver: str, name: str
) -> None:
    heard: list[str] = []
    with _use(postgres, driver) as engine:
        _pid(engine)
    with _use(postgres, driver) as engine:
        _listen(engine, name, heard)
        _pid(engine)
        assert heard or name == "do_connect"  # It is for engines that know how to connect by themselves.
    heard.clear()
    with _use(postgres, driver) as engine:
        _pid(engine)
        assert heard == []


_CHANGES: dict[str, tuple[Callable[[Any], object], Callable[[Any], object]]] = {
    "an option": (lambda e: e.update_execution_options(mine=1), lambda e: "mine" in e.get_execution_options()),
    "echo": (lambda e: setattr(e, "echo", True), lambda e: e.echo),
    "a pool": (lambda e: setattr(e, "pool", sqlalchemy.NullPool(lambda: None)), lambda e: type(e.pool).__name__),
    "a serializer": (lambda e: setattr(e.dialect, "_json_serializer", repr), lambda e: e.dialect._json_serializer),
    "a flag": (lambda e: setattr(e.dialect, "insert_returning", False), lambda e: e.dialect.insert_returning),
    "a method": (lambda e: setattr(e.dialect, "do_ping", print), lambda e: e.dialect.do_ping is print),
}


@_DRIVERS
@pytest.mark.parametrize("change", _CHANGES)
def test_what_a_test_has_changed_is_as_before(postgres: PostgresIsolation, driver: str, change: str) -> None:
    do, look = _CHANGES[change]
    with _use(postgres, driver) as engine:
        before = look(engine)
        do(engine)
        assert look(engine) != before
    with _use(postgres, driver) as engine:
        assert look(engine) == before
        _pid(engine)


@_DRIVERS
def test_connection_that_is_left_checked_out(postgres: PostgresIsolation, driver: str) -> None:
    with _use(postgres, driver) as engine:
        left = engine.connect()
        pid = left.scalar(_PID)
    with _use(postgres, driver) as engine:
        assert (_pid(engine) == pid) == (driver == "psycopg")  # What the earlier test has left is closed, or not used.
        with pytest.raises(exc.StatementError, match="belongs to a test that has ended"):
            left.scalar(_PID)
        del left
        gc.collect()
        _pid(engine)


@_DRIVERS
def test_engine_of_an_earlier_test_is_refused(postgres: PostgresIsolation, driver: str) -> None:
    with _use(postgres, driver) as earlier:
        _pid(earlier)
    with _use(postgres, driver), pytest.raises(Exception, match="belongs to a test that has ended"):
        _pid(earlier)


@_DRIVERS
def test_disposing_of_the_pool_and_going_on(postgres: PostgresIsolation, driver: str) -> None:
    for _ in range(2):
        with _use(postgres, driver) as engine:
            pid = _pid(engine)
            engine.dispose()
            assert _pid(engine) != pid


@_DRIVERS
def test_url_leads_to_the_database(postgres: PostgresIsolation, driver: str) -> None:
    with _use(postgres, driver) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE mine (id int)"))
        assert engine.url.drivername == f"postgresql+{driver}"
        other = sqlalchemy.create_engine(engine.url.render_as_string(hide_password=False))
        with other.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM mine")) == 0
        other.dispose()
        assert engine.url.password not in repr(engine)


@_DRIVERS
def test_json_is_read_and_written(postgres: PostgresIsolation, driver: str) -> None:
    for _ in range(2):
        with _use(postgres, driver) as engine, engine.connect() as connection:
            value = sqlalchemy.cast({"a": [1]}, sqlalchemy.JSON)
            assert connection.scalar(sqlalchemy.select(value)) == {"a": [1]}


@_DRIVERS
def test_statements_are_compiled_once(postgres: PostgresIsolation, driver: str) -> None:
    heard: list[Any] = []
    for _ in range(2):
        with _use(postgres, driver) as engine, engine.connect() as connection:
            event.listen(engine, "before_cursor_execute", lambda *a, **_: heard.append(a[4].cache_hit.name))
            connection.scalar(sqlalchemy.select(sqlalchemy.literal(1)))
    assert heard == ["CACHE_MISS", "CACHE_HIT"]


_SETTING = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = app', current_database()); END $$"


@pytest.mark.parametrize("changed", [(True, False), (False, True)])
@_DRIVERS
def test_dialect_knows_what_another_client_has_changed(
    postgres: PostgresIsolation, driver: str, changed: tuple[bool, bool]
) -> None:
    for is_changed in changed:
        with postgres.leases.lease() as lease, postgres.leases.engines.blocking(lease, driver) as engine:
            if is_changed:
                with postgres.leases.asyncpg_blocking(lease) as other:
                    other.execute(f"CREATE SCHEMA app; CREATE EXTENSION hstore SCHEMA app; {_SETTING}")
            with engine.connect() as connection:
                assert sqlalchemy.inspect(connection).default_schema_name == ("app" if is_changed else "public")
                assert not is_changed or connection.scalar(text("SELECT 'a=>1'::hstore")) == {"a": "1"}
