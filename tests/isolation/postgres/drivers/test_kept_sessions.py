"""A session that serves one test after the other is as a new one would be: what no `DISCARD ALL` resets."""

from __future__ import annotations

import concurrent.futures
import time
from typing import TYPE_CHECKING, Any

import pytest

from realservices.kinds.postgres.isolation.drivers.imports import connections_of

if TYPE_CHECKING:
    from realservices.kinds.postgres.isolation.drivers.lease import DatabaseLease
    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation

_DEADLINE_S = 60
_ACTIVE = 1  # In libpq's PGTransactionStatusType.
_FIRST_WITH_LOGIN_TRIGGERS = 170000
_PID = "SELECT pg_backend_pid()"


def _run(postgres: PostgresIsolation, lease: DatabaseLease, driver: str, *statements: str) -> Any:
    """Run statements over a connection of a test's own; return the first value of the last one."""
    if driver == "asyncpg":
        with postgres.leases.asyncpg_blocking(lease) as connection:
            return [connection.fetchval(sql) for sql in statements][-1]
    connections = connections_of(driver)
    connection = connections.connect(lease)
    connection.autocommit = True
    try:
        return [_value(connection, sql) for sql in statements][-1]
    finally:
        connections.release(connection)


def _value(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None


def _test(postgres: PostgresIsolation, driver: str, *statements: str) -> Any:
    with postgres.leases.lease() as lease:
        return _run(postgres, lease, driver, *statements)


@pytest.fixture(params=["asyncpg", "psycopg", "psycopg2"])
def driver(request: pytest.FixtureRequest) -> str:
    """A driver's name."""
    return str(request.param)


def test_session_is_kept(postgres: PostgresIsolation, driver: str) -> None:
    pid = _test(postgres, driver, "CREATE TEMP TABLE passing (id int)", _PID)
    assert _test(postgres, driver, _PID) == pid


def test_connection_within_the_server_is_gone(postgres: PostgresIsolation, driver: str) -> None:
    service = postgres.endpoint
    where = f"host={service.host} port={service.port} dbname=postgres user={service.user} password={service.password}"
    _test(
        postgres, driver, "CREATE EXTENSION dblink", f"SELECT dblink_connect('a', '{where}')", "DROP EXTENSION dblink"
    )
    assert _test(postgres, driver, "CREATE EXTENSION dblink", "SELECT dblink_get_connections()") is None


def test_replication_origin_is_gone(postgres: PostgresIsolation, driver: str) -> None:
    origin = "SELECT pg_replication_origin_create('mine')", "SELECT pg_replication_origin_session_setup('mine')"
    _test(postgres, driver, *origin)
    assert _test(postgres, driver, "SELECT pg_replication_origin_session_is_setup()") is False


@pytest.mark.parametrize("name", ["psycopg", "psycopg2"])
def test_thread_that_still_waits_is_cut_off(postgres: PostgresIsolation, name: str) -> None:
    connections = connections_of(name)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        with postgres.leases.lease() as lease:
            connection = connections.connect(lease)
            waiting = threads.submit(connection.cursor().execute, "SELECT pg_sleep(60)")
            deadline = time.monotonic() + _DEADLINE_S
            while int(connection.info.transaction_status) != _ACTIVE:
                assert time.monotonic() < deadline
                time.sleep(0.001)
            connections.release(connection)
        assert waiting.exception() is not None
    assert _test(postgres, name, "SELECT 1") == 1


_LOGIN_TRIGGER = """
    CREATE TABLE logins (name text);
    CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO logins VALUES (session_user); END $$;
    CREATE EVENT TRIGGER note_login ON login EXECUTE FUNCTION note_login()
"""


def test_login_trigger_sees_each_test(postgres: PostgresIsolation, driver: str) -> None:
    if postgres.endpoint.server_version_num < _FIRST_WITH_LOGIN_TRIGGERS:
        pytest.skip("PostgreSQL 17 or later has login triggers")
    share = postgres.share("module")
    share.database.connect_sync().execute(_LOGIN_TRIGGER)
    isolation = share.isolation()
    for _ in range(2):
        assert _test(isolation, driver, "SELECT count(*) FROM logins") == 1
    share.close()


_SET = "ALTER ROLE CURRENT_USER SET work_mem = '123kB'"


def test_connection_has_the_settings_of_its_role(postgres: PostgresIsolation, driver: str) -> None:
    assert _test(postgres, driver, "SHOW work_mem") == "4MB"
    with postgres.leases.lease() as lease:
        _run(postgres, lease, "psycopg", _SET)
        assert _run(postgres, lease, driver, "SHOW work_mem") == "123kB"
        _run(postgres, lease, "psycopg", "ALTER ROLE CURRENT_USER RESET work_mem")
        assert _run(postgres, lease, driver, "SHOW work_mem") == "4MB"


def test_settings_of_a_role_end_with_the_test(postgres: PostgresIsolation, driver: str) -> None:
    with postgres.leases.lease() as lease:
        _run(postgres, lease, "psycopg", _SET)
        assert _run(postgres, lease, driver, "SHOW work_mem") == "123kB"
    assert _test(postgres, driver, "SHOW work_mem") == "4MB"
