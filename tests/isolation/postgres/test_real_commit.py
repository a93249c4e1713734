"""A test that commits for real has what hangs on it, and leaves nothing to the next one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.administration import Administration, quote_identifier
from realservices.kinds.postgres.isolation.clone import Clone
from realservices.kinds.postgres.isolation.clone_pool import ClonePool
from realservices.kinds.postgres.isolation.held import HeldTransaction
from realservices.kinds.postgres.isolation.isolation import PostgresIsolation
from realservices.kinds.postgres.isolation.traits import COMMITS_ALWAYS, Traits, traits_of
from realservices.kinds.postgres.traits_query import traits_query
from tests.isolation.postgres.ways import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.ready_databases import ReadyDatabases

_DEADLINE_S = 20
_BEGINNING = ("BEGIN", "START TRANSACTION", "/* a */ START TRANSACTION READ ONLY")
_TENANT = "SELECT current_setting('app.tenant', true)"


def _is_held(connection: Any) -> bool:
    held = connection._con.guard.held
    return held is not None and not held.is_committed


async def test_nothing_is_committed_where_nothing_hangs_on_it(postgres: PostgresIsolation) -> None:
    async with postgres.transaction(keep=True) as connection:
        await connection.execute("CREATE TABLE t (a int)")
        for readonly in (False, True):
            async with connection.transaction(readonly=readonly, isolation="read_committed"):
                await connection.fetch("SELECT * FROM t")
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.execute("INSERT INTO missing VALUES (1)")
        assert _is_held(connection)
        await connection.execute("NOTIFY news")
        assert not _is_held(connection)


@pytest.mark.parametrize("way", ["transaction", "database"])
async def test_next_test_is_clean_after_a_commit(postgres: PostgresIsolation, way: str) -> None:
    heard: list[Any] = []
    for _ in range(3):
        async with connected(postgres, way) as connection:
            assert await connection.fetchval("SELECT to_regclass('t')") is None
            assert await connection.fetchval("SELECT to_regclass('pg_temp.s')") is None
            assert await connection.fetchval("SHOW work_mem") == "4MB"
            assert await connection.fetchval(_TENANT) is None
            assert await connection.fetchval("SELECT current_user = session_user")
            assert await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
            await connection.execute(
                "CREATE TABLE t (a serial); CREATE TEMP TABLE s (a int); INSERT INTO t DEFAULT VALUES"
            )
            await connection.add_listener("news", lambda *_: heard.append("news"))
            await connection.execute("SET work_mem = '6MB'; SET ROLE pg_monitor; SELECT pg_advisory_lock(7)")
            await connection.execute("SELECT set_config('app.tenant', 'a', false)")
            await connection.execute("BEGIN; SELECT 1")
    heard.clear()
    async with connected(postgres, way) as connection:
        await connection.execute("NOTIFY news")
        await connection.execute("SELECT 1")
    assert heard == []


@pytest.mark.parametrize("way", ["database", "transaction"])
async def test_replication_origin_of_a_session_is_gone(postgres: PostgresIsolation, way: str) -> None:
    for _ in range(2):
        async with connected(postgres, way) as connection:
            assert not await connection.fetchval("SELECT pg_replication_origin_session_is_setup()")
            await connection.execute("SELECT pg_replication_origin_create('mine')")
            await connection.execute("SELECT pg_replication_origin_session_setup('mine')")


@pytest.mark.parametrize("way", ["database", "transaction"])
async def test_connection_of_dblink_is_gone(postgres: PostgresIsolation, way: str) -> None:
    share = postgres.share("module")
    await share.connection.execute("CREATE EXTENSION dblink")
    isolation, service = share.isolation(), postgres.endpoint
    where = f"host={service.host} port={service.port} dbname=postgres user={service.user} password={service.password}"
    for _ in range(2):
        async with connected(isolation, way) as connection:
            assert await connection.fetchval("SELECT dblink_get_connections()") is None
            await connection.execute(f"SELECT dblink_connect('mine', '{where}')")
    await isolation.close_loop()
    share.close()


async def test_rows_and_sequences_are_restored_in_the_same_database(postgres: PostgresIsolation) -> None:
    share = postgres.share("module")
    await share.connection.execute("CREATE TABLE kept (id serial PRIMARY KEY)")
    await share.connection.execute("INSERT INTO kept DEFAULT VALUES; INSERT INTO kept DEFAULT VALUES")
    isolation, seen = share.isolation(), set()
    for _ in range(4):
        async with isolation.transaction(keep=True) as connection:
            seen.add((await connection.fetchval("SELECT current_database()"), connection.get_server_pid()))
            await connection.execute("NOTIFY news")
            assert await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM kept") == [1, 2]
            assert await connection.fetchval("INSERT INTO kept DEFAULT VALUES RETURNING id") == 3
            await connection.execute("DELETE FROM kept WHERE id = 1")
    await isolation.close_loop()
    share.close()
    assert len(seen) == 1


async def test_deferred_check_that_fails_takes_nothing_else_with_it(postgres: PostgresIsolation) -> None:
    share = postgres.share("module")
    await share.connection.execute("CREATE TABLE parent (id int PRIMARY KEY)")
    await share.connection.execute("CREATE TABLE child (parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    isolation = share.isolation()
    async with isolation.transaction(keep=True) as connection:
        await connection.execute("CREATE TABLE before (a int)")
        await connection.execute("BEGIN")
        await connection.fetch("SELECT * FROM child")
        await connection.execute("INSERT INTO child VALUES (1)")
        assert _is_held(connection)
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await connection.execute("COMMIT")
        assert await connection.fetchval("SELECT count(*) FROM before, child") == 0
    await isolation.close_loop()
    share.close()


async def test_database_is_dropped_where_it_cannot_be_restored(
    postgres_endpoint: Endpoint, background: BackgroundLoop, none_ready: ReadyDatabases
) -> None:
    pool = ClonePool(postgres_endpoint, background, none_ready, restores=False)
    isolation = PostgresIsolation(postgres_endpoint, background, none_ready, clones=pool)
    names = []
    for commits in (True, True, False, False):
        async with isolation.transaction(keep=True) as connection:
            names.append(await connection.fetchval("SELECT current_database()"))
            await connection.execute("CREATE TABLE t (a int)")
            if commits:
                await connection.execute("NOTIFY news")
    await isolation.close_loop()
    isolation.close(drop=True)
    assert len(set(names)) == 3
    administration = Administration(postgres_endpoint)
    assert await administration.fetch("SELECT datname FROM pg_database WHERE datname = ANY ($1)", names) == []
    await administration.close(finish=True)


async def test_setting_of_the_programs_own_is_unset_in_the_next_test(postgres: PostgresIsolation) -> None:
    for statement in ("SET app.tenant = 'a'", "SELECT set_config('app.tenant', 'a', true)"):
        async with postgres.transaction(keep=True) as connection:
            assert await connection.fetchval(_TENANT) is None
            await connection.execute(statement)
    async with postgres.transaction(keep=True) as connection:
        assert await connection.fetchval(_TENANT) is None


@pytest.mark.parametrize("way", ["transaction", "database"])
async def test_statements_that_earlier_tests_have_prepared_are_not_missed(
    postgres: PostgresIsolation, way: str
) -> None:
    async with connected(postgres, way) as connection:
        assert await connection.fetchval("SELECT 1 + 1") == 2
    async with connected(postgres, way) as connection:
        assert await connection.fetchval("SELECT 3") == 3
        await connection.execute("DISCARD ALL")
        assert await connection.fetchval("SELECT 1 + 1") == 2
        with pytest.raises(asyncpg.InvalidSQLStatementNameError):  # As in production: this test has prepared it.
            await connection.fetchval("SELECT 3")


async def test_failed_transaction_does_not_begin_anew(postgres: PostgresIsolation) -> None:
    async with connected(postgres, "transaction") as connection:
        await connection.fetch("NOTIFY news")
    async with connected(postgres, "transaction") as connection:
        await connection.execute("BEGIN")
        with pytest.raises(asyncpg.UndefinedColumnError):
            await connection.fetch("SELECT missing")
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            await connection.fetch("NOTIFY news")


async def test_copy_that_its_own_source_ends_takes_nothing_with_it(postgres: PostgresIsolation) -> None:
    async def rows() -> AsyncIterator[bytes]:
        yield b"2\n"
        raise LookupError

    async with connected(postgres, "transaction") as connection:
        await connection.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        with pytest.raises(LookupError):
            await connection.copy_to_table("t", source=rows())
        assert await connection.fetchval("SELECT array_agg(a) FROM t") == [1]


@pytest.mark.parametrize("way", ["transaction", "database", "plain"])
async def test_closed_connection_says_so(postgres: PostgresIsolation, way: str) -> None:
    for close in ("close", "terminate", "server"):
        async with connected(postgres, way) as connection:
            assert not connection.is_closed()
            if close == "server":
                with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
                    await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            elif close == "terminate":
                connection.terminate()
            else:
                await connection.close()
            async with asyncio.timeout(_DEADLINE_S):
                while not connection.is_closed():
                    await asyncio.sleep(0)
            await connection.close()
            connection.terminate()
            with pytest.raises(asyncpg.InterfaceError, match="connection is closed"):
                await connection.execute("SELECT 1")
    async with connected(postgres, way) as connection:
        assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("way", ["transaction", "database"])
@pytest.mark.parametrize("statement", [*_BEGINNING, "COMMIT", "END", "ROLLBACK", "ABORT", "SELECT 1"])
async def test_status_is_postgresqls(postgres: PostgresIsolation, way: str, statement: str) -> None:
    async with connected(postgres, "plain") as plain, connected(postgres, way) as connection:
        if statement not in _BEGINNING:
            await plain.execute("BEGIN")
            await connection.execute("BEGIN")
        assert await connection.execute(statement) == await plain.execute(statement)


async def test_notifications_are_heard(isolated_database: Any) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    await isolated_database.add_listener("news", lambda *message: heard.put_nowait(message[-1]))
    async with isolated_database.transaction():
        await isolated_database.execute("SELECT pg_notify('news', 'inside')")
        assert heard.empty()
    async with asyncio.timeout(_DEADLINE_S):
        assert await heard.get() == "inside"


async def test_cursor_ends_with_its_transaction(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    async with isolated_database.transaction():
        cursor = await isolated_database.cursor("SELECT generate_series(1, 9)")
        assert len(await cursor.fetch(2)) == 2
    async with isolated_database.transaction():
        with pytest.raises(asyncpg.InvalidCursorNameError):
            await cursor.fetch(2)


async def test_new_columns_are_seen_by_prepared_statements(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    assert tuple(await isolated_database.fetchrow("SELECT * FROM t")) == (1,)
    await isolated_database.execute("ALTER TABLE t ADD b int DEFAULT 2")
    assert tuple(await isolated_database.fetchrow("SELECT * FROM t")) == (1, 2)
    assert _is_held(isolated_database)


async def test_what_the_words_did_not_tell_is_done_again_with_a_commit(
    isolated_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HeldTransaction, "must_commit", lambda *_: False)
    await isolated_database.execute("CREATE TABLE t (a int)")
    await isolated_database.execute("VACUUM t")
    assert not _is_held(isolated_database)
    assert await isolated_database.fetchval("SELECT count(*) FROM t") == 0


async def test_refused_in_a_transaction_says_what_to_use(isolated_database: Any) -> None:
    async def vacuum() -> None:
        async with isolated_database.transaction():
            await isolated_database.fetch("SELECT * FROM t")
            await isolated_database.execute("VACUUM")

    await isolated_database.execute("CREATE TABLE t (a int)")
    with pytest.raises(asyncpg.ActiveSQLTransactionError) as caught:
        await vacuum()
    assert "cloned_database" in caught.value.__notes__[0]


_FAILS_AT_COMMIT = "DECLARE c CURSOR WITH HOLD FOR SELECT 1 / (2 - n) FROM generate_series(1, 2) AS n"


async def test_commit_that_takes_more_with_it_is_an_error_that_says_so(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    await isolated_database.execute("BEGIN")
    await isolated_database.fetch("SELECT * FROM t")
    await isolated_database.execute(_FAILS_AT_COMMIT)
    with pytest.raises(IsolationError, match=r"division by zero.*cloned_database"):
        await isolated_database.execute("COMMIT")
    assert not isolated_database.is_in_transaction()


async def test_transaction_that_begins_with_what_hangs_on_it_is_one_at_the_top(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    await isolated_database.execute("BEGIN READ ONLY")
    await isolated_database.execute("SET work_mem = '6MB'")
    await isolated_database.execute("SET LOCAL statement_timeout = '5s'")
    assert not _is_held(isolated_database)
    assert isolated_database.is_in_transaction()
    assert await isolated_database.fetchval("SHOW transaction_read_only") == "on"
    assert await isolated_database.fetchval("SHOW work_mem") == "6MB"
    await isolated_database.execute("ROLLBACK")
    assert await isolated_database.fetchval("SHOW work_mem") == "4MB"
    assert await isolated_database.fetchval("SELECT count(*) FROM t") == 0


async def test_commit_that_takes_nothing_else_with_it_fails_as_in_production(isolated_database: Any) -> None:
    await isolated_database.execute("BEGIN")
    await isolated_database.execute(_FAILS_AT_COMMIT)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await isolated_database.execute("COMMIT")
    assert await isolated_database.fetchval("SELECT 1") == 1


async def test_cancelled_commit_is_done_or_not_but_never_half(postgres: PostgresIsolation) -> None:
    async with postgres.transaction(keep=True) as connection:
        await connection.execute("CREATE TABLE t (a int)")
        for turns in range(8):
            work = asyncio.create_task(connection.execute("NOTIFY news"))
            for _ in range(turns):
                await asyncio.sleep(0)
            work.cancel()
            await asyncio.wait({work})
            assert await connection.fetchval("SELECT count(*) FROM t") == 0
    async with postgres.transaction(keep=True) as connection:
        assert await connection.fetchval("SELECT to_regclass('t')") is None


async def test_nobody_else_comes_into_the_database_of_a_transaction(
    postgres: PostgresIsolation, postgres_endpoint: Endpoint
) -> None:
    for keep in (True, False, True):
        async with postgres.transaction(keep=keep) as connection:
            await connection.execute("CREATE TABLE t (a int)")
            clone = await _clone(postgres_endpoint, connection)
            with pytest.raises(asyncpg.PostgresError, match="not currently accepting connections"):
                await asyncpg.connect(**clone.connect_kwargs)


async def test_nobody_else_comes_in_after_a_test_that_changed_the_server(
    postgres: PostgresIsolation, postgres_endpoint: Endpoint
) -> None:
    for _ in range(2):
        async with postgres.transaction(keep=True) as connection:
            assert await connection.fetchval("SHOW log_min_messages") != "fatal"
            await connection.execute("ALTER SYSTEM SET log_min_messages = fatal")
            await connection.execute("SELECT pg_reload_conf()")
    async with postgres.transaction(keep=True) as connection:
        clone = await _clone(postgres_endpoint, connection)
        with pytest.raises(asyncpg.PostgresError, match="not currently accepting connections"):
            await asyncpg.connect(**clone.connect_kwargs)


async def test_database_with_somebody_in_it_is_no_place_for_a_transaction(
    postgres: PostgresIsolation, postgres_endpoint: Endpoint
) -> None:
    async with postgres.transaction(keep=False) as connection:
        clone = await _clone(postgres_endpoint, connection)
    await asyncio.wrap_future(postgres._clones.open(clone))
    intruder = await asyncpg.connect(**clone.connect_kwargs)
    async with postgres.transaction(keep=True) as connection:
        assert await connection.fetchval("SELECT current_database()") != clone.name
    intruder.terminate()


async def _clone(endpoint: Endpoint, connection: asyncpg.Connection) -> Clone:
    return Clone(endpoint, await connection.fetchval("SELECT current_database()"))


async def _traits(endpoint: Endpoint, connection: asyncpg.Connection) -> Traits:
    return traits_of(await connection.fetchval(traits_query(endpoint.server_version_num)))


async def test_settings_of_the_database_that_end_transactions_are_obeyed(
    postgres_endpoint: Endpoint, cloned_database: Any
) -> None:
    administration = Administration(postgres_endpoint)
    name = quote_identifier(cloned_database.name)
    await administration.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    connection = await cloned_database.connect()
    assert await connection.execute(COMMITS_ALWAYS) == "SELECT 1"
    await administration.close(finish=True)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("default_transaction_isolation", "serializable", True),
        ("default_transaction_isolation", "read committed", False),
        ("default_transaction_read_only", "on", True),
        ("default_transaction_deferrable", "on", True),
        ("idle_in_transaction_session_timeout", "1min", True),
        ("work_mem", "1MB", False),
    ],
)
async def test_settings_that_one_transaction_around_a_test_cannot_have(
    cloned_database: Any, name: str, value: str, expected: bool
) -> None:
    connection = await cloned_database.connect()
    await connection.execute(f"SET {name} = '{value}'")
    assert await connection.execute(COMMITS_ALWAYS) == ("SELECT 1" if expected else "SELECT 0")


async def test_traits_are_read_from_the_schema(postgres_endpoint: Endpoint, cloned_database: Any) -> None:
    connection = await cloned_database.connect()
    assert await connection.execute(COMMITS_ALWAYS) == "SELECT 0"
    await connection.execute(
        "CREATE TABLE t (a int PRIMARY KEY, at timestamptz DEFAULT now());"
        "CREATE TABLE u (a int REFERENCES t DEFERRABLE INITIALLY DEFERRED);"
        "CREATE VIEW fresh AS SELECT * FROM t WHERE at > current_timestamp - interval '1 day';"
        "CREATE FUNCTION tell() RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT pg_notify('news', ''); END;"
        "CREATE FUNCTION own() RETURNS void LANGUAGE sql AS $$ SELECT set_config('app.tenant', 'a', true) $$"
    )
    traits = await _traits(postgres_endpoint, connection)
    assert traits.hanging.writes
    assert traits.clock.tables == {"t", "fresh"}
    assert not traits.clock.writes
    assert {"tell", "own"} <= traits.hanging.names
    assert "fresh" in traits.clock.names
    assert traits.outlasting.names >= {"own"}
    assert "tell" not in traits.outlasting.names


async def test_refused_connection_to_the_own_database_says_what_to_use(isolated_database: Any) -> None:
    name = await isolated_database.fetchval("SELECT current_database()")
    with pytest.raises(asyncpg.PostgresError) as caught:
        await isolated_database.execute(
            f"DO $$ BEGIN RAISE EXCEPTION 'database \"{name}\" is not currently accepting connections'; END $$"
        )
    assert "cloned_database" in caught.value.__notes__[0]
