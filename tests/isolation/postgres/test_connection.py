"""Within a test's transaction a connection behaves as PostgreSQL gives it, and nothing outlives the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.isolation.errors import IsolationBrokenError, IsolationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation


_ASYNCPG = tuple(int(part) for part in asyncpg.__version__.split(".")[:2])


# As a program sees it


async def test_failed_statement_takes_nothing_else_with_it(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int PRIMARY KEY)")
    await isolated_database.execute("INSERT INTO t VALUES ($1)", 1)
    for _ in range(2):
        with pytest.raises(asyncpg.UniqueViolationError):
            await isolated_database.execute("INSERT INTO t VALUES ($1)", 1)
    with pytest.raises(asyncpg.UndefinedTableError):
        await isolated_database.fetch("SELECT * FROM missing")
    assert await isolated_database.fetchval("SELECT count(*) FROM t") == 1


async def test_failed_prepared_statement_takes_nothing_else_with_it(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int PRIMARY KEY)")
    insert = await isolated_database.prepare("INSERT INTO t VALUES ($1)")
    await insert.fetch(1)
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert.fetch(1)
    await insert.executemany([(2,), (3,)])
    assert await isolated_database.fetchval("SELECT count(*) FROM t") == 3


async def test_failed_copy_takes_nothing_else_with_it(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int PRIMARY KEY)")
    await isolated_database.copy_records_to_table("t", records=[(1,), (2,)])
    with pytest.raises(asyncpg.UniqueViolationError):
        await isolated_database.copy_records_to_table("t", records=[(3,), (1,)])
    assert await isolated_database.fetchval("SELECT count(*) FROM t") == 2


_WIDE = "a" * 32_768  # So that some rows are sent before the last one is asked for.


def _rows_that_end_badly() -> Iterator[tuple[int, str]]:
    yield from ((n, _WIDE) for n in range(20))
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        (_rows_that_end_badly, ZeroDivisionError),
        (lambda: [(1, _WIDE)] * 20 + [("no number", "")], asyncpg.DataError),
        (lambda: [("no number", "")], asyncpg.DataError),
    ],
)
@pytest.mark.parametrize("in_transaction", [False, True])
async def test_several_lists_of_arguments_are_all_or_nothing(
    isolated_database: Any, cloned_database: Any, rows: Any, error: type[Exception], in_transaction: bool
) -> None:
    plain = await cloned_database.connect()
    found = []
    for connection in (plain, isolated_database):
        await connection.execute("CREATE TABLE t (a int, wide text)")
        await connection.execute("INSERT INTO t VALUES (0)")
        async with connection.transaction() if in_transaction else contextlib.nullcontext():
            with pytest.raises(error):
                await connection.executemany("INSERT INTO t VALUES ($1, $2)", rows())
        await connection.execute("INSERT INTO t VALUES (-1)")
        found.append(await connection.fetchval("SELECT array_agg(a ORDER BY a) FROM t"))
    assert found[0] == found[1]
    assert in_transaction or found[0] == [-1, 0]


async def test_value_that_cannot_be_encoded_takes_nothing_else_with_it(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    await isolated_database.execute("INSERT INTO t VALUES ($1)", 1)
    with pytest.raises(asyncpg.DataError):
        await isolated_database.execute("INSERT INTO t VALUES ($1)", "no number")
    assert await isolated_database.fetchval("SELECT count(*) FROM t") == 1


async def test_cancelled_statement_takes_nothing_else_with_it(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    await isolated_database.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(TimeoutError):
        await isolated_database.execute("SELECT pg_sleep(60)", timeout=0.02)
    with pytest.raises(TimeoutError):
        await isolated_database.execute("BEGIN; SELECT pg_sleep(60)", timeout=0.02)
    await isolated_database.execute("ROLLBACK")
    with pytest.raises(asyncpg.QueryCanceledError):
        await isolated_database.execute("SET statement_timeout = 1; SELECT pg_sleep(60)")
    assert await isolated_database.fetchval("SELECT count(*) FROM t") == 1


async def test_transactions_commit_and_roll_back(isolated_database: Any) -> None:
    async def insert_and_fail(value: int, failure: str) -> None:
        async with isolated_database.transaction():
            await isolated_database.execute("INSERT INTO t VALUES ($1)", value)
            await isolated_database.execute(failure)

    await isolated_database.execute("CREATE TABLE t (a int)")
    assert not isolated_database.is_in_transaction()
    async with isolated_database.transaction():
        assert isolated_database.is_in_transaction()
        await isolated_database.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await insert_and_fail(2, "SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await insert_and_fail(3, "SELECT 1 / 0")
    with pytest.raises(asyncpg.UndefinedTableError):
        await insert_and_fail(4, "SELECT * FROM missing")
    assert not isolated_database.is_in_transaction()
    assert [row["a"] for row in await isolated_database.fetch("SELECT a FROM t")] == [1]


async def test_transaction_without_a_block(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    for value, keep in ((1, True), (2, False)):
        transaction = isolated_database.transaction()
        await transaction.start()
        await isolated_database.execute("INSERT INTO t VALUES ($1)", value)
        await (transaction.commit() if keep else transaction.rollback())
    assert await isolated_database.fetchval("SELECT array_agg(a) FROM t") == [1]


@pytest.mark.parametrize("level", ["read_committed", "repeatable_read", "serializable"])
async def test_any_isolation_level_may_be_asked_for(isolated_database: Any, level: str) -> None:
    async with isolated_database.transaction(isolation=level):
        assert await isolated_database.fetchval("SELECT 1") == 1
    with pytest.raises(ValueError, match="isolation is expected"):
        isolated_database.transaction(isolation="none such")


async def test_read_only_transaction_is_read_only(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with isolated_database.transaction(readonly=True):
            await isolated_database.execute("INSERT INTO t VALUES (1)")
    await isolated_database.execute("INSERT INTO t VALUES (1)")
    await isolated_database.execute("BEGIN READ ONLY")
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await isolated_database.execute("INSERT INTO t VALUES (2)")
    await isolated_database.execute("ROLLBACK")
    await isolated_database.execute("INSERT INTO t VALUES (3)")


async def test_transactions_in_sql_text(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    assert await isolated_database.execute("BEGIN") == "BEGIN"
    await isolated_database.execute("INSERT INTO t VALUES (1)")
    await isolated_database.execute("SAVEPOINT s; INSERT INTO t VALUES (2); ROLLBACK TO s; RELEASE s")
    assert await isolated_database.execute("COMMIT") == "COMMIT"
    await isolated_database.fetch("START TRANSACTION")
    await isolated_database.execute("INSERT INTO t VALUES (3)")
    assert await isolated_database.execute("ROLLBACK") == "ROLLBACK"
    await isolated_database.execute("BEGIN; INSERT INTO t VALUES (4); COMMIT AND CHAIN; INSERT INTO t VALUES (5)")
    assert isolated_database.is_in_transaction()
    await isolated_database.execute("ABORT")
    assert await isolated_database.fetchval("SELECT array_agg(a ORDER BY a) FROM t") == [1, 4]


async def test_commit_of_a_failed_transaction_rolls_back(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    await isolated_database.execute("BEGIN; INSERT INTO t VALUES (1)")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await isolated_database.execute("SELECT 1 / 0")
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await isolated_database.execute("SELECT 1")
    assert await isolated_database.execute("COMMIT") == "ROLLBACK"
    assert await isolated_database.fetchval("SELECT count(*) FROM t") == 0


async def test_control_without_a_transaction(isolated_database: Any) -> None:
    for sql in ("COMMIT", "ROLLBACK", "SET TRANSACTION READ ONLY"):
        assert await isolated_database.execute(sql)
    for sql in ("SAVEPOINT s", "RELEASE s", "ROLLBACK TO s"):
        with pytest.raises(asyncpg.NoActiveSQLTransactionError):
            await isolated_database.execute(sql)
    await isolated_database.execute("BEGIN")
    with pytest.raises(asyncpg.InterfaceError, match="manually started"):
        await isolated_database.transaction().start()


async def test_prepared_control(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    await (await isolated_database.prepare("BEGIN")).fetch()
    assert isolated_database.is_in_transaction()
    await isolated_database.execute("INSERT INTO t VALUES (1)")
    await (await isolated_database.prepare("ROLLBACK")).fetch()
    assert not isolated_database.is_in_transaction()
    assert await isolated_database.fetchval("SELECT count(*) FROM t") == 0


async def test_two_phase_commit_of_more_than_the_transaction_is_refused(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    await isolated_database.execute("BEGIN")
    with pytest.raises(IsolationError, match="cloned_database"):
        await isolated_database.execute("PREPARE TRANSACTION 'x'")


async def test_deferred_constraints_are_checked_at_commit(isolated_database: Any) -> None:
    await isolated_database.execute(
        "CREATE TABLE parent (id int PRIMARY KEY);"
        "CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
    )
    for _ in range(2):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            async with isolated_database.transaction():
                await isolated_database.execute("INSERT INTO child VALUES (1)")
    await isolated_database.execute("BEGIN; INSERT INTO child VALUES (2); INSERT INTO parent VALUES (2); COMMIT")
    assert await isolated_database.fetchval("SELECT array_agg(id) FROM child") == [2]


async def test_cursors_within_a_transaction(isolated_database: Any) -> None:
    async with isolated_database.transaction():
        numbers = [row[0] async for row in isolated_database.cursor("SELECT generate_series(1, 200)", prefetch=7)]
    assert numbers == list(range(1, 201))


@pytest.mark.skipif(_ASYNCPG < (0, 32), reason="asyncpg asks is_in_transaction() from 0.32 on")
async def test_no_cursor_without_a_transaction(isolated_database: Any) -> None:
    with pytest.raises(asyncpg.NoActiveSQLTransactionError):
        await isolated_database.cursor("SELECT 1")


async def test_reset_keeps_the_tests_transaction(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    await isolated_database.execute("SET statement_timeout = 12345; BEGIN; INSERT INTO t VALUES (1)")
    await isolated_database.reset()
    assert await isolated_database.fetchval("SHOW statement_timeout") == "0"
    assert await isolated_database.fetchval("SELECT count(*) FROM t") == 0


async def test_query_loggers_see_only_what_the_program_sent(isolated_database: Any) -> None:
    seen: list[str] = []
    with isolated_database.query_logger(lambda record: seen.append(record.query)):
        await isolated_database.execute("SELECT 1")
        await isolated_database.fetch("SELECT $1::int", 2)
        await asyncio.sleep(0)
    assert seen == ["SELECT 1", "SELECT $1::int"]


async def test_two_tasks_at_once_are_refused_as_asyncpg_refuses_them(isolated_database: Any) -> None:
    await isolated_database.execute("CREATE TABLE t (a int)")
    results = await asyncio.gather(
        *(isolated_database.execute("INSERT INTO t VALUES ($1)", n) for n in range(3)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, asyncpg.InterfaceError)]
    assert len(refused) == 2
    assert await isolated_database.fetchval("SELECT count(*) FROM t") == 1


async def test_another_event_loop_is_refused_with_what_to_use(isolated_database: Any) -> None:
    def in_a_thread() -> None:
        asyncio.run(isolated_database.fetchval("SELECT 1"))

    with pytest.raises(IsolationError, match=r"another one, of thread .*cloned_database\.url"):
        await asyncio.to_thread(in_a_thread)
    assert await isolated_database.fetchval("SELECT 1") == 1


# From one test to the next


async def test_nothing_of_the_session_reaches_the_next_test(postgres: PostgresIsolation) -> None:
    async with postgres.transaction(keep=True) as first:
        backend = first.get_server_pid()
        await first.execute("CREATE TABLE t (a int); CREATE TEMP TABLE temporary (a int); CREATE SEQUENCE s")
        await first.execute("SET timezone = 'Asia/Tokyo'; SET search_path = pg_catalog; SELECT nextval('public.s')")
        await first.execute("SELECT pg_advisory_lock(42); PREPARE p AS SELECT 1")
        await first.fetch("SELECT $1::int", 1)
    async with postgres.transaction(keep=True) as second:
        assert second.get_server_pid() == backend
        assert await second.fetchval("SELECT to_regclass('public.t')") is None
        assert await second.fetchval("SELECT to_regclass('pg_temp.temporary')") is None
        assert await second.fetchval("SHOW timezone") != "Asia/Tokyo"
        assert "public" in await second.fetchval("SHOW search_path")
        assert await second.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE from_sql") == 0
        assert await second.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
            await second.fetchval("SELECT lastval()")


async def test_same_table_with_other_columns_in_the_next_test(postgres: PostgresIsolation) -> None:
    for columns, values in (("a int", (1,)), ("a text, b int", ("x", 2)), ("b date", (None,))):
        async with postgres.transaction(keep=True) as connection:
            await connection.execute(f"CREATE TABLE t ({columns})")
            places = ", ".join(f"${n + 1}" for n in range(len(values)))
            await connection.execute(f"INSERT INTO t VALUES ({places})", *values)
            assert [tuple(row) for row in await connection.fetch("SELECT * FROM t WHERE true")] == [values]


async def test_same_type_with_other_members_in_the_next_test(postgres: PostgresIsolation) -> None:
    for members, value in (("a int", (1,)), ("a text, b int", ("x", 2))):
        async with postgres.transaction(keep=True) as connection:
            await connection.execute(f"CREATE TYPE thing AS ({members}); CREATE TABLE t (v thing)")
            await connection.execute("INSERT INTO t VALUES ($1)", value)
            assert tuple(await connection.fetchval("SELECT v FROM t")) == value


async def test_altered_type_of_the_template_is_as_before_in_the_next_test(postgres: PostgresIsolation) -> None:
    query = "SELECT oid FROM pg_type WHERE typname = 'int4'"
    for _ in range(2):
        async with postgres.transaction(keep=True) as connection:
            await connection.execute("CREATE DOMAIN d AS int; ALTER DOMAIN d ADD CHECK (value > 0)")
            assert await connection.fetchval("SELECT $1::d", 3) == 3
            assert await connection.fetchval(query) == 23


async def test_codecs_do_not_reach_the_next_test(postgres: PostgresIsolation) -> None:
    async with postgres.transaction(keep=True) as first:
        await first.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        assert await first.fetchval("SELECT '{}'::json") == {}
    async with postgres.transaction(keep=True) as second:
        assert await second.fetchval("SELECT '{}'::json") == "{}"


async def test_listeners_and_loggers_do_not_reach_the_next_test(postgres: PostgresIsolation) -> None:
    heard: list[str] = []
    async with postgres.transaction(keep=True) as first:
        first.add_query_logger(lambda record: heard.append(record.query))
        first.add_log_listener(lambda _, message: heard.append(str(message)))
        await first.add_listener("news", lambda *_: heard.append("news"))
    heard.clear()
    async with postgres.transaction(keep=True) as second:
        await second.execute("DO $$ BEGIN RAISE WARNING 'x'; END $$; NOTIFY news")
        await asyncio.sleep(0)
    assert heard == []


async def test_connection_and_what_it_made_end_with_their_test(postgres: PostgresIsolation) -> None:
    async with postgres.transaction(keep=True) as first:
        prepared = await first.prepare("SELECT 1")
    async with postgres.transaction(keep=True):
        with pytest.raises(asyncpg.InterfaceError, match="released back to the pool"):
            await first.fetch("SELECT 1")
        with pytest.raises(asyncpg.InterfaceError):
            await prepared.fetch()


@pytest.mark.parametrize("how", ["close", "terminate", "killed"])
async def test_closed_or_lost_connection_is_replaced(postgres: PostgresIsolation, how: str) -> None:
    async with postgres.transaction(keep=True) as first:
        await first.execute("CREATE TABLE t (a int)")
        if how == "close":
            await first.close()
        elif how == "terminate":
            first.terminate()
        else:
            with pytest.raises((asyncpg.AdminShutdownError, asyncpg.ConnectionDoesNotExistError)):
                await first.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    async with postgres.transaction(keep=True) as second:
        assert await second.fetchval("SELECT to_regclass('t')") is None


async def test_connection_lost_between_tests_is_replaced(postgres: PostgresIsolation) -> None:
    async with postgres.transaction(keep=True) as first:
        backend = first.get_server_pid()
    async with postgres.connection_to_clone() as other:
        assert await other.fetchval("SELECT pg_terminate_backend($1, 5000)", backend)
    async with postgres.transaction(keep=True) as second:
        assert await second.fetchval("SELECT 1") == 1


async def test_unfinished_transaction_is_rolled_back(postgres: PostgresIsolation) -> None:
    async with postgres.transaction(keep=True) as first:
        await first.transaction().start()
        await first.execute("CREATE TABLE t (a int)")
    async with postgres.transaction(keep=True) as second:
        assert not second.is_in_transaction()
        assert await second.fetchval("SELECT to_regclass('t')") is None
        async with second.transaction():
            pass


async def test_failed_transaction_is_rolled_back(postgres: PostgresIsolation) -> None:
    async with postgres.transaction(keep=True) as first:
        await first.execute("BEGIN; CREATE TABLE t (a int)")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await first.execute("SELECT 1 / 0")
    async with postgres.transaction(keep=True) as second:
        assert await second.fetchval("SELECT to_regclass('t')") is None


@pytest.mark.parametrize("ending", ["COMMIT", "COMMIT; BEGIN", "ROLLBACK; BEGIN", "COMMIT; BEGIN; SAVEPOINT a"])
async def test_ended_transaction_is_noticed_and_its_database_thrown_away(
    postgres: PostgresIsolation, ending: str
) -> None:
    async with postgres.transaction(keep=True) as first:
        database = await first.fetchval("SELECT current_database()")

    async def end_behind_its_back() -> None:
        async with postgres.transaction(keep=True) as broken:
            await broken.execute("CREATE TABLE t (a int)")
            protocol: Any = broken._con.guard.raw  # type: ignore[attr-defined]  # past every guard
            await protocol.query(ending, None)

    with pytest.raises(IsolationBrokenError, match="cloned_database"):
        await end_behind_its_back()
    async with postgres.transaction(keep=True) as second:
        assert await second.fetchval("SELECT current_database()") != database
        assert await second.fetchval("SELECT to_regclass('t')") is None


async def test_statement_still_running_at_the_end_is_an_error(postgres: PostgresIsolation) -> None:
    running = []

    async def leave_running() -> None:
        async with postgres.transaction(keep=True) as first:
            running.append(asyncio.ensure_future(first.execute("SELECT pg_sleep(60)")))
            await asyncio.sleep(0)

    with pytest.raises(IsolationError, match="still in use"):
        await leave_running()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await running[0]
    async with postgres.transaction(keep=True) as second:
        assert await second.fetchval("SELECT 1") == 1


async def _prepared(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        "SELECT statement FROM pg_prepared_statements WHERE statement NOT LIKE '%pg_prepared%'"
    )
    return [row["statement"] for row in rows]


async def test_statements_stay_prepared_from_test_to_test(postgres: PostgresIsolation) -> None:
    async with postgres.transaction(keep=True) as connection:
        await connection.fetchval("SELECT $1::int", 1)
    async with postgres.transaction(keep=True) as connection:
        assert await _prepared(connection) == ["SELECT $1::int"]


@pytest.mark.parametrize(
    "sql",
    ["SET search_path = pg_catalog", "CREATE TEMP TABLE t (a int)", "PREPARE mine AS SELECT 1", "RESET ALL"],
)
async def test_statements_are_prepared_anew_where_they_may_mean_something_else(
    postgres: PostgresIsolation, sql: str
) -> None:
    async with postgres.transaction(keep=True) as connection:
        await connection.fetchval("SELECT $1::int", 1)
        await connection.execute(sql)
    async with postgres.transaction(keep=True) as connection:
        assert await _prepared(connection) == []


async def test_cursors_of_the_same_name_have_other_columns_in_the_next_test(postgres: PostgresIsolation) -> None:
    async with postgres.transaction(keep=True) as connection:
        with pytest.raises(asyncpg.InvalidCursorNameError):
            await connection.fetch("FETCH ALL FROM c")
    async with postgres.transaction(keep=True) as connection, connection.transaction():
        await connection.execute("DECLARE c CURSOR FOR SELECT 1, 2")
        await connection.prepare("FETCH ALL FROM c")
    async with postgres.transaction(keep=True) as connection, connection.transaction():
        await connection.execute("DECLARE c CURSOR FOR SELECT 3")
        assert [tuple(row) for row in await connection.fetch("FETCH ALL FROM c")] == [(3,)]


async def test_a_session_is_as_new_but_for_prepared_statements(postgres: PostgresIsolation) -> None:
    async with postgres.connection_to_clone(keep=True) as connection:
        await connection.execute("CREATE SEQUENCE numbers")
        assert await connection.fetchval("SELECT nextval('numbers')") == 1
        await connection.fetchval("SELECT pg_advisory_lock(1)")
    async with postgres.connection_to_clone(keep=True) as connection:
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="lastval is not yet defined"):
            await connection.fetchval("SELECT lastval()")
        assert await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


async def test_plans_do_not_depend_on_the_tests_before(postgres: PostgresIsolation) -> None:
    for _ in range(8):  # From the sixth execution on PostgreSQL would choose.
        async with postgres.transaction(keep=True) as connection:
            await connection.fetchval("SELECT $1::int", 1)
    async with postgres.transaction(keep=True) as connection:
        plans = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = 'SELECT $1::int'"
        assert [tuple(row) for row in await connection.fetch(plans)] == [(0, 8)]


async def test_failure_after_reading_leaves_what_was_written(postgres: PostgresIsolation) -> None:
    async with postgres.transaction(keep=True) as connection:
        await connection.execute("CREATE TABLE counted (a int)")
        await connection.execute(
            "CREATE FUNCTION count_up() RETURNS void LANGUAGE sql AS 'INSERT INTO counted VALUES (1)'"
        )
        await connection.execute("INSERT INTO counted VALUES (0)")
        await connection.fetchval("SELECT count(*) FROM counted")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.execute("SELECT 1 / 0")
        await connection.fetchval("SELECT count_up()")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.execute("SELECT 1 / 0")
        assert await connection.fetchval("SELECT count(*) FROM counted") == 2
