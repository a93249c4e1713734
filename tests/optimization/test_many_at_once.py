"""Many environments at once through the public face: each alone, in turn, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.kinds.postgres.isolated import postgres_of
from realservices.kinds.postgres.isolation.administration import connect_kwargs
from realservices.kinds.postgres.isolation.connection import IsolatedConnection
from realservices.kinds.redis.isolation.isolation import RedisIsolation
from realservices.optimization.limits import PoolTimeoutError
from realservices.performance_optimization import (
    OptimizationLevel,
    OptimizedEnvironmentManager,
    create_optimized_environment_manager,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.contract.runtime import Endpoint

_DEADLINE_S = 60.0

_RESOURCES = ("database", "redis", "filesystem")


class _Barrier:
    """Lets nobody go on before all are there: proof that they are there at once."""

    def __init__(self, parties: int) -> None:
        self._missing = parties
        self._complete = asyncio.Event()

    async def wait(self) -> None:
        self._missing -= 1
        if self._missing == 0:
            self._complete.set()
        async with asyncio.timeout(30):
            await self._complete.wait()


async def _be_alone(manager: OptimizedEnvironmentManager, number: int, barrier: _Barrier | None = None) -> None:
    """Write the same key, row and file as everybody, and see one's own only."""
    async with manager.create_test_environment(f"test {number}", _RESOURCES) as environment:
        database, redis, files = (environment[resource] for resource in _RESOURCES)
        await database.execute("CREATE TABLE ledger (entry text PRIMARY KEY, number int)")
        await database.execute("INSERT INTO ledger VALUES ('only', $1)", number)
        assert await redis.setnx("only", number)
        await files.create_file("only.txt", str(number))
        if barrier is not None:
            await barrier.wait()
        assert await database.fetchval("SELECT array_agg(number) FROM ledger") == [number]
        assert (await redis.get("only"), await redis.dbsize()) == (str(number), 1)
        assert await files.read_file("only.txt") == str(number)
        other = type(redis).from_url(redis.url)  # As code under test does.
        assert await other.get("only") == str(number).encode()
        await other.aclose()


async def test_as_in_the_guide() -> None:
    manager = create_optimized_environment_manager(
        OptimizationLevel.CI_THOROUGH,
        {
            'max_concurrent_tests': 50,
            'pool_max_connections': 100,
            'enable_resource_pooling': True
        }
    )  # fmt: skip
    await manager.initialize()
    async with manager.create_test_environment("guide") as resources:
        assert await resources["database"].fetchval("SELECT 1") == 1
    await manager.shutdown()


@pytest.mark.parametrize("pooling", [True, False])
async def test_fifty_at_once_are_alone_and_so_are_those_after_them(
    start_manager: Callable[..., Any], pooling: bool
) -> None:
    manager = await start_manager(max_concurrent_tests=50, enable_resource_pooling=pooling)
    for _ in range(2):
        barrier = _Barrier(50)
        await asyncio.gather(*(_be_alone(manager, number, barrier) for number in range(50)))
    report = manager.report()
    assert report.concurrent_tests == {"limit": 50, "running": 0, "waiting": 0, "peak": 50}
    (postgres,) = [service for service in report.services.values() if "databases_ready" in service]
    assert postgres["pooled"] == (50 if pooling else 0)


async def test_more_than_may_run_at_once_wait_in_order(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager(max_concurrent_tests=3)
    order: list[int] = []

    async def test(number: int) -> None:
        async with manager.create_test_environment(f"test {number}", _RESOURCES) as environment:
            order.append(number)
            assert len(manager.optimizer._turns.holders) <= 3
            await environment["database"].execute("CREATE TABLE ledger (entry text)")

    await asyncio.gather(*(test(number) for number in range(20)))
    assert order == list(range(20))
    assert manager.report().concurrent_tests["peak"] == 3


async def test_too_long_a_wait_names_the_tests_in_the_way(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager(max_concurrent_tests=1, acquire_timeout_s=0.02)
    async with manager.create_test_environment("slow_test.py::test_all", ["filesystem"]):
        waiting = manager.create_test_environment("test_next", ["filesystem"])
        with pytest.raises(PoolTimeoutError, match=r"test_next .*max_concurrent_tests = 1.*slow_test.py::test_all"):
            await waiting.__aenter__()
    async with manager.create_test_environment("after", ["filesystem"]):
        pass


async def test_broken_rollback_would_be_noticed(
    start_manager: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def commit(connection: IsolatedConnection) -> bool:
        connection.guard.held = None
        await connection.guard.raw.query("COMMIT", None)
        return True

    manager = await start_manager(max_concurrent_tests=5)
    monkeypatch.setattr(IsolatedConnection, "end_test", commit)
    await asyncio.gather(*(_be_alone(manager, number) for number in range(5)))
    results = await asyncio.gather(*(_be_alone(manager, number) for number in range(5)), return_exceptions=True)
    assert {type(result) for result in results} == {asyncpg.DuplicateTableError}


async def test_broken_flush_would_be_noticed(
    start_manager: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = await start_manager(max_concurrent_tests=1)
    flush = RedisIsolation._call

    def keep(self: RedisIsolation, *commands: tuple[Any, ...]) -> list[Any]:
        return flush(self, *(("PING",) if command[0] == "FLUSHDB" else command for command in commands))

    monkeypatch.setattr(RedisIsolation, "_call", keep)
    with pytest.raises(IsolationBrokenError, match=r"keys right after FLUSHDB.*isolated_redis\.url"):
        await _be_alone(manager, 1)


async def test_transaction_ended_behind_our_back_spoils_no_other_test(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager(max_concurrent_tests=4)

    async def vandal() -> None:
        async with manager.create_test_environment("vandal", ["database"]) as environment:
            connection = await environment["database"].connection()
            await connection.execute("CREATE TABLE ledger (entry text)")
            await connection._con.guard.raw.query("COMMIT", None)

    results = await asyncio.gather(*(_be_alone(manager, n) for n in range(6)), vandal(), return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [IsolationBrokenError]
    await asyncio.gather(*(_be_alone(manager, number) for number in range(8)))


async def test_shutdown_leaves_no_connection_database_or_task(postgres_endpoint: Endpoint) -> None:
    connection = await asyncpg.connect(**connect_kwargs(postgres_endpoint, "postgres"))
    # The session's own fixtures have connections, too: only what comes new counts.
    backends = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"

    async def rows(sql: str) -> set[Any]:
        return {row[0] for row in await connection.fetch(sql)}

    before = await rows("SELECT datname FROM pg_database"), await rows(backends), asyncio.all_tasks()
    threads = threading.active_count()
    manager = create_optimized_environment_manager(OptimizationLevel.PERFORMANCE)
    await manager.initialize()
    await asyncio.gather(*(_be_alone(manager, number) for number in range(10)))
    left_open = manager.create_test_environment("left open", _RESOURCES)
    await (await left_open.__aenter__())["database"].execute("SELECT 1")
    cloned = postgres_of(manager.optimizer.manager)
    async with cloned.connection_to_clone() as own:
        await own.execute("SELECT 1")
    await manager.shutdown()

    assert left_open.is_left
    assert await rows("SELECT datname FROM pg_database") <= before[0]
    async with asyncio.timeout(30):  # The server notices a moment later that a connection has ended.
        async with asyncio.timeout(_DEADLINE_S):
            while not await rows(backends) <= before[1]:
                await asyncio.sleep(0.01)
    assert asyncio.all_tasks() <= before[2]
    assert threading.active_count() <= threads + 1  # The process's background loop, which is not ours to stop.
    with pytest.raises(IsolationError, match="initialize"):
        manager.report()
    await connection.close()


async def test_manager_can_be_initialized_again(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager()
    await _be_alone(manager, 1)
    await manager.shutdown()
    await manager.initialize()
    await _be_alone(manager, 2)


def test_loops_of_their_own_may_come_one_after_the_other() -> None:
    async def suite() -> None:
        manager = create_optimized_environment_manager(OptimizationLevel.CI_FAST)
        await manager.initialize()
        await asyncio.gather(*(_be_alone(manager, number) for number in range(4)))
        await manager.shutdown()

    for _ in range(2):
        asyncio.run(suite())


async def test_report_is_fit_for_json_and_has_the_times(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager(max_concurrent_tests=2)
    await asyncio.gather(*(_be_alone(manager, number) for number in range(4)))
    report = json.loads(json.dumps(manager.report().as_json()))
    assert {kind: times["count"] for kind, times in report["environments"].items()} == {
        "wait": 4,
        "set_up": 4,
        "use": 4,
        "tear_down": 4,
    }
    assert report["environments"]["wait"]["max_ms"] > 0
    assert report["environments"]["set_up"]["max_ms"] > 0
    assert report["settings"]["max_concurrent_tests"] == 2
    assert report["machine"]["cpus"] >= 1
