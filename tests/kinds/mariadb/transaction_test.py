"""`isolated_mariadb`: everything is undone, and meanwhile transactions are what they are on any connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
import time
from typing import TYPE_CHECKING, Any

import asyncmy.errors
import pytest
from asyncmy.cursors import DictCursor, SSCursor

from realservices.isolation.errors import IsolationError
from realservices.kinds.mariadb.isolation.isolation import MariaDBIsolation
from realservices.kinds.mariadb.wire import Connection
from tests.kinds.mariadb.content import content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.mariadb.isolation.database import MariaDBDatabase


@pytest.fixture
def isolation(endpoint: Endpoint, tmp_path: Path) -> Iterator[MariaDBIsolation]:
    isolation = MariaDBIsolation(endpoint, f"{tmp_path}.own")
    yield isolation
    isolation.close(drop=True)


async def _run(connection: Any, statement: str, *arguments: Any) -> Any:
    async with connection.cursor() as cursor:
        await cursor.execute(statement, arguments or None)
        return list(await cursor.fetchall())


async def _names(connection: Any) -> list[str]:
    return [name for (name,) in await _run(connection, "SELECT name FROM customers ORDER BY id")]


_SEEDED = ["Ada", "Böb 😀"]


@pytest.mark.parametrize("attempt", range(2))
async def test_what_was_committed_is_gone(isolated_mariadb: Any, attempt: int) -> None:
    async with isolated_mariadb.cursor() as cursor:
        await cursor.execute("INSERT INTO customers (name) VALUES (%s)", ("Zoe",))
        assert cursor.lastrowid == 4
    await isolated_mariadb.commit()
    assert await _run(isolated_mariadb, "SELECT NEXTVAL(numbers)") == [(120,)]
    await _run(isolated_mariadb, "INSERT INTO old VALUES (2, 'two')")
    assert await _run(isolated_mariadb, "SELECT id FROM old ORDER BY id") == [(1,), (2,)]
    assert await _names(isolated_mariadb) == [*_SEEDED, "Zoe"]


async def test_nothing_is_left(isolation: MariaDBIsolation, endpoint: Endpoint) -> None:
    async with isolation.transaction() as connection:
        for statement in (
            "INSERT INTO customers (name) VALUES ('Zoe')",
            "INSERT INTO orders (customer, total) VALUES (1, 1)",
            "DELETE FROM customers WHERE id = 2",
            "INSERT INTO old VALUES (2, 'two')",
            "UPDATE `odd ``name` SET `a.b` = 5",
            "CALL add_customer('Yan')",
        ):
            await _run(connection, statement)
        await connection.commit()
    async with isolation.transaction() as connection:
        [(name,)] = await _run(connection, "SELECT DATABASE()")
    with Connection(endpoint.socket, endpoint.user, endpoint.password) as administrator:
        assert content(administrator, name) == content(administrator, str(endpoint.database))


async def test_a_rollback_goes_back_to_the_last_commit(isolated_mariadb: Any) -> None:
    await _run(isolated_mariadb, "INSERT INTO customers (name) VALUES ('one')")
    await isolated_mariadb.commit()
    await _run(isolated_mariadb, "INSERT INTO customers (name) VALUES ('two')")
    await isolated_mariadb.rollback()
    assert await _names(isolated_mariadb) == [*_SEEDED, "one"]
    await isolated_mariadb.rollback()
    assert await _names(isolated_mariadb) == [*_SEEDED, "one"]


async def test_with_autocommit_only_a_transaction_is_rolled_back(isolated_mariadb: Any) -> None:
    assert isolated_mariadb.get_autocommit() is False
    await isolated_mariadb.autocommit(True)
    assert isolated_mariadb.get_autocommit() is True
    await _run(isolated_mariadb, "INSERT INTO customers (name) VALUES ('one')")
    await isolated_mariadb.rollback()
    await isolated_mariadb.begin()
    await _run(isolated_mariadb, "INSERT INTO customers (name) VALUES ('two')")
    await isolated_mariadb.rollback()
    assert await _names(isolated_mariadb) == [*_SEEDED, "one"]


async def test_a_failed_statement_fails_alone(isolated_mariadb: Any) -> None:
    await _run(isolated_mariadb, "INSERT INTO customers (name) VALUES ('one')")
    with pytest.raises(asyncmy.errors.IntegrityError):
        await _run(isolated_mariadb, "INSERT INTO customers (name, email) VALUES ('two', 'ada@example.com')")
    assert await _names(isolated_mariadb) == [*_SEEDED, "one"]


async def test_prepared_statements(isolated_mariadb: Any) -> None:
    statement = await isolated_mariadb.prepare("INSERT INTO customers (name) VALUES (?)")
    await statement.execute(("one",))
    await isolated_mariadb.rollback()
    await statement.execute(("two",))
    await isolated_mariadb.commit()
    assert await _names(isolated_mariadb) == [*_SEEDED, "two"]


async def test_cursors_of_other_classes(isolated_mariadb: Any) -> None:
    async with isolated_mariadb.cursor(DictCursor) as cursor:
        await cursor.executemany("INSERT INTO customers (name) VALUES (%s)", [("one",), ("two",)])
        await cursor.execute("SELECT name FROM customers ORDER BY id DESC LIMIT 1")
        assert await cursor.fetchall() == [{"name": "two"}]
    async with isolated_mariadb.cursor(SSCursor) as cursor:
        await cursor.execute("SELECT name FROM customers ORDER BY id")
        assert await cursor.fetchone() == ("Ada",)
        await cursor.fetchall()
    await isolated_mariadb.rollback()
    assert await _names(isolated_mariadb) == _SEEDED


async def test_temporary_tables_and_savepoints(isolated_mariadb: Any) -> None:
    await _run(isolated_mariadb, "CREATE TEMPORARY TABLE mine (id INT)")
    await _run(isolated_mariadb, "INSERT INTO mine VALUES (1)")
    await _run(isolated_mariadb, "SAVEPOINT here")
    await _run(isolated_mariadb, "INSERT INTO mine VALUES (2)")
    await _run(isolated_mariadb, "ROLLBACK TO here")
    await _run(isolated_mariadb, "RELEASE SAVEPOINT here")
    assert await _run(isolated_mariadb, "SELECT id FROM mine") == [(1,)]
    await _run(isolated_mariadb, "DROP TEMPORARY TABLE mine")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (id INT)",
        "ALTER TABLE customers ADD COLUMN more INT",
        "TRUNCATE orders",
        "DROP TABLE orders",
        "RENAME TABLE orders TO others",
        "CREATE VIEW more AS SELECT 1",
        "CREATE DATABASE more",
        "CREATE USER more",
        "GRANT SELECT ON test.* TO reader",
        "ANALYZE TABLE customers",
        "LOCK TABLES customers WRITE",
        "CALL add_and_commit('x')",
    ],
)
async def test_what_would_commit_is_refused_by_the_server(isolated_mariadb: Any, statement: str) -> None:
    await _run(isolated_mariadb, "INSERT INTO customers (name) VALUES ('one')")
    with pytest.raises(IsolationError) as refused:
        await _run(isolated_mariadb, f"-- why\n {statement}")
    assert str(refused.value) == (
        "isolated_mariadb is within a transaction that is rolled back after the test, and the server would have "
        f"committed it for: -- why {statement}. Take cloned_mariadb, whose database commits for real, for this test"
    )
    assert "one" in await _names(isolated_mariadb)


@pytest.mark.parametrize(
    "statement",
    [
        "COMMIT AND CHAIN",
        "ROLLBACK AND CHAIN",
        "COMMIT RELEASE",
        "START TRANSACTION READ ONLY",
        "SET autocommit = 0, sql_mode = ''",
        "XA START 'mine'",
        "XA COMMIT 'mine'",
        "SET SESSION TRANSACTION READ ONLY",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET tx_read_only = 1",
        "SET completion_type = 1",
    ],
)
async def test_what_has_no_place_in_it_is_refused_before(isolated_mariadb: Any, statement: str) -> None:
    with pytest.raises(IsolationError) as refused:
        await _run(isolated_mariadb, statement)
    assert str(refused.value) == (
        "isolated_mariadb is within a transaction that is rolled back after the test, which cannot have: "
        f"{statement}. Take cloned_mariadb, whose database commits for real, for this test, or say BEGIN, COMMIT, "
        "ROLLBACK or SET autocommit = … by itself"
    )
    assert await _names(isolated_mariadb) == _SEEDED


async def test_a_savepoint_outside_of_a_transaction_is_none(isolated_mariadb: Any) -> None:
    await isolated_mariadb.autocommit(True)
    await _run(isolated_mariadb, "SAVEPOINT here")
    await _run(isolated_mariadb, "INSERT INTO customers (name) VALUES ('one')")
    with pytest.raises(asyncmy.errors.OperationalError, match="SAVEPOINT here does not exist"):
        await _run(isolated_mariadb, "ROLLBACK TO here")
    assert await _names(isolated_mariadb) == [*_SEEDED, "one"]


@pytest.mark.parametrize(
    "statement",
    ["SELECT @@in_transaction", "SELECT id, @@SESSION.autocommit FROM log", "SHOW VARIABLES LIKE 'autocommit'"],
)
async def test_what_the_server_would_tell_of_the_tests_transaction(isolated_mariadb: Any, statement: str) -> None:
    assert isolated_mariadb.get_transaction_status() is False
    assert await _run(isolated_mariadb, "SELECT @@autocommit, '@@in_transaction' -- @@in_transaction") == [
        (0, "@@in_transaction")
    ]
    assert isolated_mariadb.get_transaction_status() is True
    await isolated_mariadb.autocommit(True)
    message = r"the server would tell of that, not of the code's: S.*Take cloned_mariadb.*connection.get_autocommit\(\)"
    with pytest.raises(IsolationError, match=message):
        await _run(isolated_mariadb, statement)


async def test_a_lost_connection_is_not_replaced(isolation: MariaDBIsolation) -> None:
    async with isolation.transaction() as connection:
        await _run(connection, "INSERT INTO customers (name) VALUES ('one')")
        with pytest.raises(asyncmy.errors.OperationalError):
            await _run(connection, f"KILL {connection.thread_id()}")
        with pytest.raises(IsolationError, match="was closed, with which all that the test did is rolled back: it"):
            await connection.ping()
    async with isolation.transaction() as connection:
        await connection.ensure_closed()
        with pytest.raises(IsolationError, match="cannot connect again"):
            await connection.ping()
    async with isolation.transaction() as connection:
        assert await _names(connection) == _SEEDED


async def test_files_that_statements_write_are_removed(isolation: MariaDBIsolation) -> None:
    for _ in range(2):
        async with isolation.transaction() as connection:
            assert await _run(connection, "SELECT 1 INTO OUTFILE 'report.csv'") == []
        with isolation.database() as database:
            client = await database.connect()
            await _run(client, "SELECT 1 INTO OUTFILE 'report.csv'")
            await client.ensure_closed()


async def test_an_engine_without_savepoints_is_told(isolated_mariadb: Any) -> None:
    await _run(isolated_mariadb, "INSERT INTO aria VALUES (1)")
    await isolated_mariadb.commit()
    with pytest.raises(IsolationError, match=r"a table whose engine has no savepoints \(Aria\).*Take cloned_mariadb"):
        await _names(isolated_mariadb)


async def test_one_transaction_at_a_time(isolation: MariaDBIsolation) -> None:
    async with isolation.transaction():
        with pytest.raises(IsolationError, match="a test of this process has a transaction in MariaDB service"):
            async with isolation.transaction():
                raise AssertionError
    async with isolation.transaction() as connection:
        assert await _names(connection) == _SEEDED


async def test_statements_at_once_are_refused_but_the_first(isolated_mariadb: Any) -> None:
    first = asyncio.ensure_future(_run(isolated_mariadb, "SELECT 1"))
    with pytest.raises(IsolationError, match="one statement at a time; it has not ended SELECT 1 yet"):
        await asyncio.gather(first, _run(isolated_mariadb, "SELECT 2"))
    assert await first == [(1,)]
    assert await _run(isolated_mariadb, "SELECT 3") == [(3,)]


async def test_a_connection_that_code_keeps_is_refused(isolation: MariaDBIsolation) -> None:
    async with isolation.transaction() as connection:
        assert await _run(connection, "SELECT 1") == [(1,)]
    with pytest.raises(IsolationError, match="isolated_mariadb belongs to a test that has ended"):
        await _run(connection, "SELECT 1")


async def test_code_may_close_the_connection(isolation: MariaDBIsolation) -> None:
    async with isolation.transaction() as connection:
        await _run(connection, "INSERT INTO customers (name) VALUES ('one')")
        await connection.ensure_closed()
    async with isolation.transaction() as connection:
        assert await _names(connection) == _SEEDED


async def _is_left_running(connection: Any) -> None:
    running = asyncio.ensure_future(_run(connection, _LONG))
    _LEFT.append(running)
    async with asyncio.timeout(60):
        while not connection._reading:
            assert not running.done()
            await asyncio.sleep(0)


async def _is_cancelled(connection: Any) -> None:
    await _is_left_running(connection)
    _LEFT[-1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await _LEFT[-1]


async def _is_read_in_part(connection: Any) -> None:
    cursor = connection.cursor(SSCursor)
    await cursor.execute("SELECT name FROM customers")
    assert await cursor.fetchone() == ("one",)


_LONG_S = 100
_LONG = f"SELECT SLEEP({_LONG_S})"
_LEFT: list[asyncio.Future[Any]] = []


@pytest.mark.parametrize("leave", [_is_left_running, _is_cancelled, _is_read_in_part])
async def test_an_answer_that_is_still_to_come(isolation: MariaDBIsolation, leave: Any) -> None:
    """No end of a test waits for it, and none takes it for the answer to a statement of its own."""
    began = time.monotonic()
    with pytest.raises(IsolationError, match="in use") if leave is _is_left_running else contextlib.nullcontext():
        async with isolation.transaction() as connection:
            await _run(connection, "UPDATE customers SET name = 'one'")
            await leave(connection)
    async with isolation.transaction() as connection:
        assert await _names(connection) == _SEEDED
    assert time.monotonic() - began < _LONG_S  # Before the server would have answered.
    await asyncio.gather(*_LEFT, return_exceptions=True)
    _LEFT.clear()


async def test_a_deadlock_ends_it_in_words(isolation: MariaDBIsolation, endpoint: Endpoint) -> None:
    async with isolation.transaction() as connection:
        [(database,)] = await _run(connection, "SELECT DATABASE()")
        with Connection(endpoint.socket, endpoint.user, endpoint.password, database) as other:
            other.run("SET innodb_lock_wait_timeout = 30; BEGIN; UPDATE customers SET name = 'x' WHERE id = 2")
            await _run(connection, "UPDATE customers SET name = 'y' WHERE id = 1")
            await _run(connection, "SET innodb_lock_wait_timeout = 1")
            with pytest.raises(asyncmy.errors.OperationalError, match="Lock wait timeout"):
                await _run(connection, "UPDATE customers SET name = 'y' WHERE id = 2")
            other.run("ROLLBACK")
    async with isolation.transaction() as connection:
        assert await _names(connection) == _SEEDED


async def test_without_asyncmy_it_is_told(isolation: MariaDBIsolation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "realservices.kinds.mariadb.isolation.connection", raising=False)
    monkeypatch.setitem(sys.modules, "asyncmy.connection", None)
    with pytest.raises(IsolationError, match=r"there is no module 'asyncmy.connection': run `pip install asyncmy`"):
        async with isolation.transaction():
            raise AssertionError


async def test_a_forked_child_is_refused(isolation: MariaDBIsolation) -> None:
    with isolation.database():
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            words = ""
            try:
                with isolation.database():
                    words = "given"
            except BaseException as error:  # noqa: BLE001 - it must not return into the test
                words = str(error)
            finally:
                os.write(write, words.encode())
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as file:
            assert "cloned_mariadb belongs to process" in file.read()
        os.waitpid(pid, 0)


# What a program may do with transactions, and how often.
_STEPS = (
    ("commit", 3),
    ("rollback", 3),
    ("begin", 2),
    ("BEGIN", 1),
    ("START TRANSACTION WITH CONSISTENT SNAPSHOT", 1),
    ("/* so */ COMMIT WORK;", 1),
    ("# so\nROLLBACK", 1),
    ("autocommit on", 1),
    ("autocommit off", 1),
    ("SET autocommit = 1", 1),
    ("SET @@session.autocommit=OFF", 1),
    ("INSERT INTO customers (name) VALUES ('{number}')", 8),
    ("UPDATE customers SET name = '{number}' ORDER BY id DESC LIMIT 1", 3),
    ("DELETE FROM customers ORDER BY id DESC LIMIT 1", 2),
    ("INSERT INTO customers (name, email) VALUES ('{number}', 'ada@example.com')", 1),
    ("CALL add_customer('{number}')", 1),
)


async def _step(connection: Any, step: str, number: int) -> str:
    try:
        if step in ("commit", "rollback", "begin"):
            await getattr(connection, step)()
        elif step.startswith("autocommit"):
            await connection.autocommit(step.endswith("on"))
        else:
            await _run(connection, step.format(number=number))
    except asyncmy.errors.IntegrityError as error:
        return str(error)
    return str(await _names(connection))


@pytest.mark.parametrize("seed", range(20))
async def test_it_does_what_a_plain_connection_does(
    isolated_mariadb: Any, cloned_mariadb: MariaDBDatabase, seed: int
) -> None:
    chance = random.Random(seed)
    steps = chance.choices([step for step, _ in _STEPS], [weight for _, weight in _STEPS], k=40)
    plain = await cloned_mariadb.connect()
    try:
        for number, step in enumerate(steps):
            shown = await _step(isolated_mariadb, step, number)
            assert shown == await _step(plain, step, number), steps[: number + 1]
            assert isolated_mariadb.get_autocommit() == plain.get_autocommit()
        await isolated_mariadb.rollback()
        await plain.rollback()
        assert await _names(isolated_mariadb) == await _names(plain)
    finally:
        await plain.ensure_closed()
