"""One test's share of everything: made when it is asked for, isolated, and closed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.isolated_environment_manager import IsolatedEnvironmentManager, get_isolated_environment_manager
from realservices.isolation.errors import IsolationError
from realservices.isolation.isolation_manager import IsolationManager
from realservices.isolation.resources import all_resources
from realservices.isolation.test_environment import TestEnvironment
from realservices.kinds.postgres.isolation.connection import IsolatedConnection
from realservices.sources.errors import MissingServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.service_isolation import ServiceIsolation
    from realservices.sources.services import Services

_DEADLINE_S = 10.0


@pytest.fixture
async def manager(services: Services) -> AsyncIterator[IsolationManager]:
    """A manager of the test's own, on the target's services."""
    made = IsolationManager(services)
    yield made
    await made.shut_down()


async def test_it_has_what_the_target_declares(manager: IsolationManager) -> None:
    async with TestEnvironment(manager, "test") as resources:
        assert list(resources) == ["database", "redis", "redis_bytes", "filesystem"]
        assert len(resources) == 4
        assert "database" in resources
        assert "clickhouse" not in resources
        assert "nonsense" not in resources


async def test_every_resource_works_and_is_the_same_each_time(manager: IsolationManager) -> None:
    async with TestEnvironment(manager, "test") as resources:
        assert await resources["database"].fetchval("SELECT 1") == 1
        await resources["redis"].set("key", "value")
        assert await resources["redis"].get("key") == "value"
        path = await resources["filesystem"].create_file("a/b.txt", "text")
        assert path.read_text(encoding="utf-8") == "text"
        assert all(resources[key] is resources[key] for key in resources)
    assert not path.exists()


@pytest.mark.parametrize("keep", [True, False])
async def test_the_next_environment_sees_nothing(manager: IsolationManager, keep: bool) -> None:
    for _ in range(3):
        async with TestEnvironment(manager, "test", keep=keep) as resources:
            await resources["database"].execute("CREATE TABLE lone (id int)")
            assert await resources["redis"].setnx("only", 1)
            await resources["filesystem"].create_file("only")


async def test_a_resource_that_is_not_declared_says_what_to_add(manager: IsolationManager) -> None:
    async with TestEnvironment(manager, "test") as resources:
        for key in ("http", "websocket", "llm"):
            with pytest.raises(MissingServiceError):
                resources[key]


async def test_a_key_that_there_is_not_is_a_key_error(manager: IsolationManager) -> None:
    async with TestEnvironment(manager, "test", ["redis"]) as resources:
        with pytest.raises(KeyError, match="'database': this environment has redis"):
            resources["database"]
        assert resources.get("database") is None


async def test_what_a_test_does_not_use_is_not_made(manager: IsolationManager, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import asyncio, sys
            from realservices.isolated_environment_manager import IsolatedEnvironmentManager

            async def main():
                manager = IsolatedEnvironmentManager()
                await manager.initialize()
                async with manager.create_test_environment("test") as resources:
                    list(resources)
                    await resources["filesystem"].create_file("a")
                    assert not {"asyncpg", "redis", "httpx", "websockets", "clickhouse_connect"} & set(sys.modules)
                    await resources["redis"].ping()
                    assert not {"asyncpg", "httpx", "websockets", "clickhouse_connect"} & set(sys.modules)
                await manager.shutdown()

            asyncio.run(main())
            """
        )
    )
    done = subprocess.run([sys.executable, "-W", "error", str(program)], stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


async def test_two_at_once_are_refused_with_what_to_take_instead(manager: IsolationManager) -> None:
    async with TestEnvironment(manager, "one") as one, TestEnvironment(manager, "two") as two:
        await one["database"].execute("CREATE TABLE lone (id int)")
        await one["redis"].set("lone", "1")
        with pytest.raises(IsolationError, match=r"has a transaction of service 'postgres' .*create_optimized_env"):
            await two["database"].fetchval("SELECT 1")
        with pytest.raises(IsolationError, match=r"has a database index of service 'redis' .*create_optimized_env"):
            two["redis"]
        assert await one["database"].fetchval("SELECT count(*) FROM lone") == 0
        assert await one["redis"].get("lone") == "1"
    async with TestEnvironment(manager, "three") as three:
        assert await three["database"].fetchval("SELECT to_regclass('lone')") is None
        assert await three["redis"].dbsize() == 0


async def test_it_cannot_be_used_beyond_its_test(manager: IsolationManager) -> None:
    async with TestEnvironment(manager, "tests/users_test.py::test_it") as resources:
        database = resources["database"]
    with pytest.raises(IsolationError, match=r"'redis': the environment of tests/users_test.py::test_it is over"):
        resources["redis"]
    with pytest.raises(IsolationError, match="is over"):
        await database.fetchval("SELECT 1")


# The database of an environment connects when it is first awaited, in whatever way


@pytest.fixture
async def database(manager: IsolationManager) -> AsyncIterator[Any]:
    async with TestEnvironment(manager, "test") as resources:
        yield resources["database"]


async def test_a_transaction_may_be_the_first_use(database: Any) -> None:
    assert not database.is_closed()
    assert not database.is_in_transaction()
    async with database.transaction():
        assert database.is_in_transaction()
        await database.execute("CREATE TABLE t (id int)")
    transaction = database.transaction()
    await transaction.start()
    await database.execute("INSERT INTO t VALUES (1)")
    await transaction.rollback()
    assert await database.fetchval("SELECT count(*) FROM t") == 0


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_a_transaction_may_be_started_by_hand_first(database: Any, end: str) -> None:
    transaction = database.transaction()
    await transaction.start()
    await database.execute("CREATE TABLE t (id int)")
    await getattr(transaction, end)()
    there = await database.fetchval("SELECT to_regclass('t') IS NOT NULL")
    assert there == (end == "commit")


async def test_a_transaction_that_fails_is_rolled_back(database: Any) -> None:
    async def fail() -> None:
        async with database.transaction():
            await database.execute("CREATE TABLE t (id int)")
            await database.execute("SELECT FROM nothing")

    with pytest.raises(asyncpg.UndefinedTableError):
        await fail()
    assert await database.fetchval("SELECT to_regclass('t')") is None


async def test_a_cursor_may_be_made_before_the_connection(database: Any) -> None:
    cursor = database.cursor("SELECT generate_series(1, 3) AS n")
    async with database.transaction():
        assert [row["n"] async for row in cursor] == [1, 2, 3]


async def test_a_cursor_may_be_awaited_first(database: Any) -> None:
    async with database.transaction():
        cursor = await database.cursor("SELECT 7 AS n")
        assert (await cursor.fetchrow())["n"] == 7


async def test_two_first_uses_at_once_make_one_connection(manager: IsolationManager) -> None:
    async with TestEnvironment(manager, "test") as resources:
        first, second = await asyncio.gather(resources["database"].connection(), resources["database"].connection())
        assert first is second


async def test_a_misspelt_method_is_an_error_at_once(database: Any) -> None:
    with pytest.raises(AttributeError, match="fetchvalue"):
        database.fetchvalue  # noqa: B018


# The manager


async def test_the_guides_validation(services: Services) -> None:
    manager = IsolatedEnvironmentManager(IsolationManager(services))
    await manager.initialize()
    async with manager.create_test_environment("validation_test") as resources:
        assert list(resources.keys()) == ["database", "redis", "redis_bytes", "filesystem"]
        assert await resources["database"].fetchval("SELECT 1") == 1
        await resources["redis"].set("test_key", "test_value")
        assert await resources["redis"].get("test_key") == "test_value"
    await manager.shutdown()


class _SlowManager(IsolationManager):
    """One that makes nothing before it is told to."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.asked, self.go_on = threading.Event(), threading.Event()

    def _new_isolation(self, endpoint: Endpoint) -> ServiceIsolation:
        self.asked.set()
        assert self.go_on.wait(_DEADLINE_S)
        return super()._new_isolation(endpoint)


def test_what_a_thread_is_making_when_the_manager_is_closed_is_not_kept(services: Services) -> None:
    manager = _SlowManager(services)
    with ThreadPoolExecutor() as threads:
        making = threads.submit(manager.isolation_of, "redis")
        assert manager.asked.wait(_DEADLINE_S)
        manager.close()
        manager.go_on.set()
        with pytest.raises(IsolationError, match=r"service 'redis' cannot be used any more: .* has ended"):
            making.result(_DEADLINE_S)


def test_there_is_one_manager_per_process() -> None:
    assert get_isolated_environment_manager() is get_isolated_environment_manager()


async def test_it_must_be_initialized() -> None:
    with pytest.raises(IsolationError, match=r"create_test_environment\('early'\): await initialize\(\)"):
        IsolatedEnvironmentManager().create_test_environment("early")


async def test_an_unknown_resource_is_named(services: Services) -> None:
    manager = IsolatedEnvironmentManager(IsolationManager(services))
    await manager.initialize()
    with pytest.raises(IsolationError, match=f"no resource 'databse'; there are {', '.join(all_resources())}"):
        manager.create_test_environment("test", ["databse"])
    await manager.shutdown()


def test_it_serves_unittest(tmp_path: Path) -> None:
    program = tmp_path / "case.py"
    program.write_text(
        textwrap.dedent(
            """
            import unittest
            from realservices.isolated_environment_manager import get_isolated_environment_manager

            class Users(unittest.IsolatedAsyncioTestCase):
                async def asyncSetUp(self):
                    self.manager = get_isolated_environment_manager()
                    await self.manager.initialize()
                    self.resources = await self.enterAsyncContext(self.manager.create_test_environment(self.id()))

                async def asyncTearDown(self):
                    await self.manager.shutdown()  # Before the environment's own clean-up: it is left here.

                async def test_one(self):
                    await self.resources["database"].execute("CREATE TABLE lone (id int)")

                async def test_two(self):
                    await self.resources["database"].execute("CREATE TABLE lone (id int)")
                    self.assertTrue(await self.resources["redis"].setnx("only", 1))

            unittest.main()
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)], capture_output=True, text=True, timeout=30, check=False
    )
    assert "Ran 2 tests" in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


async def test_leaving_is_done_even_if_the_loop_ends_just_then(manager: IsolationManager) -> None:
    environment = TestEnvironment(manager, "test", keep=True)
    connection = environment["database"]
    await connection.execute("SELECT 1")
    before = asyncio.all_tasks()
    leaving = asyncio.create_task(environment.leave())
    await asyncio.sleep(0)  # It has made the task that closes everything, which has not had its first step yet.
    for task in asyncio.all_tasks() - before:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    with pytest.raises(asyncpg.InterfaceError, match="released"):
        await connection.execute("SELECT 1")
    async with TestEnvironment(manager, "next", keep=True) as following:
        assert await following["database"].fetchval("SELECT 1") == 1


async def test_what_is_still_being_made_when_an_environment_is_left_ends_with_it(
    manager: IsolationManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, begin = asyncio.Event(), IsolatedConnection.begin_test

    async def begin_slowly(connection: IsolatedConnection, *arguments: Any) -> None:
        await begin(connection, *arguments)
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(IsolatedConnection, "begin_test", begin_slowly)
    environment = TestEnvironment(manager, "test", keep=True)
    statement = asyncio.create_task(environment["database"].execute("SELECT 1"))
    await begun.wait()
    async with asyncio.timeout(20):
        await environment.leave()
        with pytest.raises(IsolationError, match="'database': the environment of test is over"):
            await statement
    monkeypatch.undo()
    async with TestEnvironment(manager, "next", keep=True) as following:
        assert await following["database"].fetchval("SELECT 1") == 1


async def test_a_connection_that_could_not_be_made_may_be_tried_again(
    manager: IsolationManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise asyncpg.TooManyConnectionsError("sorry")

    monkeypatch.setattr(IsolatedConnection, "begin_test", refuse)
    async with TestEnvironment(manager, "test") as resources:
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await resources["database"].execute("SELECT 1")
        monkeypatch.undo()
        assert await resources["database"].fetchval("SELECT 1") == 1
