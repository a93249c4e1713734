"""Many environments at once on a Redis of somebody else's that has few numbered databases: four, so three for tests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
import pytest_asyncio
import redis.asyncio

from realservices.contract.runtime import Endpoint
from realservices.isolation.errors import IsolationError
from realservices.isolation.isolation_manager import IsolationManager
from realservices.kinds.redis.isolated import redis_of
from realservices.kinds.redis.isolation.index_ranges import IndexesExhaustedError
from realservices.kinds.redis.isolation.leased_index import LeasedIndex
from realservices.optimization.optimization_levels import OptimizationLevel, settings_for
from realservices.performance_optimization import OptimizedEnvironmentManager, PoolTimeoutError
from realservices.sources.services import find_services
from tests.sources.servers import redis_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from realservices.kinds.redis.pool.pool import RedisPool

_DEADLINE_S = 30


@pytest.fixture
def launched_redis() -> Endpoint:
    """The one with few databases."""
    return find_services().endpoint("redis", "few_databases")


@pytest_asyncio.fixture
async def start_manager(external: pytest.MonkeyPatch, launched_redis: Endpoint) -> AsyncIterator[Callable[..., Any]]:
    """Makes an optimized manager on the external services; nothing is left on the server afterwards."""
    assert external
    process = IsolationManager(find_services())
    made: list[OptimizedEnvironmentManager] = []

    async def start(**overrides: Any) -> OptimizedEnvironmentManager:
        made.append(OptimizedEnvironmentManager(settings_for(OptimizationLevel.CI_THOROUGH, overrides), process))
        await made[-1].initialize()
        return made[-1]

    with redis_client(launched_redis) as client:
        client.flushall()
        yield start
        for manager in made:
            await manager.shutdown()
        process.close()
        assert client.keys() == []


async def _be_alone(manager: OptimizedEnvironmentManager, number: int) -> int:
    """Write the same key as everybody, and see one's own only; return the index of the database."""
    async with manager.create_test_environment(f"test {number}", ["redis"]) as environment:
        client = environment["redis"]
        assert await client.setnx("only", number)
        await asyncio.sleep(0)  # Others come in between.
        async with redis.asyncio.Redis.from_url(client.url) as other:
            assert await other.get("only") == str(number).encode()
        async with client.pipeline() as pipeline:
            assert await pipeline.get("only").dbsize().execute() == [str(number), 1]
        return int(client.database_index)


@pytest.mark.parametrize("pooling", [True, False])
async def test_environments_wait_for_a_number_that_another_one_gives_back(
    start_manager: Callable[..., Any], pooling: bool
) -> None:
    manager = await start_manager(enable_resource_pooling=pooling)
    async with asyncio.timeout(_DEADLINE_S):
        for _ in range(2):
            indexes = await asyncio.gather(*(_be_alone(manager, number) for number in range(20)))
            assert set(indexes) == {1, 2, 3}


async def test_who_waits_longest_is_next(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager()
    holders = [manager.create_test_environment(f"holder {number}", ["redis"]) for number in range(3)]
    for holder in holders:
        await holder["redis"].ping()
    order: list[str] = []

    async def test(name: str) -> None:
        async with manager.create_test_environment(name, ["redis"]) as environment:
            await environment["redis"].ping()
            order.append(name)

    tests = [asyncio.create_task(test(name)) for name in ("first", "second", "third")]
    async with asyncio.timeout(_DEADLINE_S):
        while len(cast("RedisPool", redis_of(manager.optimizer.manager))._limit.waiting) < len(tests):
            await asyncio.sleep(0)
    await holders[0].leave()
    async with asyncio.timeout(_DEADLINE_S):
        await test("newcomer")
        await asyncio.gather(*tests)
    assert order == ["first", "second", "third", "newcomer"]
    for holder in holders:
        await holder.leave()


async def test_too_long_a_wait_says_how_many_there_are_who_has_them_and_what_to_do(
    start_manager: Callable[..., Any], launched_redis: Endpoint
) -> None:
    manager = await start_manager(acquire_timeout_s=0.05)
    other_session = LeasedIndex(find_services().endpoint("redis"))
    holders = [manager.create_test_environment(f"holder {number}", ["redis"]) for number in range(2)]
    for holder in holders:
        await holder["redis"].set("key", "value")
    async with manager.create_test_environment("late", ["redis"]) as environment:
        message = (
            rf"late has waited 0.05 s for one of the databases .* Redis service 'redis' .* = 2; they are held by "
            rf"holder 0, holder 1. Leave .*max_concurrent_tests. .*:{launched_redis.port} has 4 databases and none is "
            r"free: 3 are leased by test processes .*, 0 hold keys .*raise databases in its redis.conf"
        )
        with pytest.raises(PoolTimeoutError, match=message):
            await environment["redis"].ping()
        other_session.close()
        await holders[0].leave()
        assert await environment["redis"].ping()
    assert await _be_alone(manager, 1) > 0
    await holders[1].leave()


async def test_where_other_sessions_have_all_there_is_nothing_to_wait_for(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager()
    sessions = [LeasedIndex(find_services().endpoint("redis")) for _ in range(3)]
    async with manager.create_test_environment("test", ["redis"]) as environment:
        with pytest.raises(IndexesExhaustedError, match=r"has 4 databases and none is free: 3 are leased"):
            environment["redis"]
    sessions.pop().close()
    await _be_alone(manager, 1)
    for session in sessions:
        session.close()


async def test_a_number_that_another_session_leaves_is_found(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager()
    session = LeasedIndex(find_services().endpoint("redis"))
    holders = [manager.create_test_environment(f"holder {number}", ["redis"]) for number in range(2)]
    for holder in holders:
        await holder["redis"].ping()
    async with manager.create_test_environment("in vain", ["redis"]) as environment:
        with pytest.raises(IsolationError, match=r"redis\.url: .*await redis.ping\(\) before"):
            _ = environment["redis"].url
    session.close()
    assert await _be_alone(manager, 1) == 1
    for holder in holders:
        await holder.leave()


async def test_an_environment_that_is_left_waits_no_longer(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager()
    holders = [manager.create_test_environment(f"holder {number}", ["redis"]) for number in range(3)]
    for holder in holders:
        await holder["redis"].ping()
    environment = manager.create_test_environment("left", ["redis"])
    command = asyncio.create_task(environment["redis"].ping())
    async with asyncio.timeout(_DEADLINE_S):
        while not cast("RedisPool", redis_of(manager.optimizer.manager))._limit.waiting:
            await asyncio.sleep(0)
    async with asyncio.timeout(_DEADLINE_S):
        await environment.leave()
        with pytest.raises(IsolationError, match="'redis': the environment of left is over"):
            await command
    await holders[0].leave()
    await _be_alone(manager, 1)
    for holder in holders:
        await holder.leave()


@pytest.mark.usefixtures("external")
def test_session_ends_though_environments_are_never_left(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    pytester.makepyfile("""
        import asyncio
        import contextvars
        import pytest

        from realservices.kinds.postgres.isolation.connection import IsolatedConnection
        from realservices.performance_optimization import OptimizationLevel, create_optimized_environment_manager

        @pytest.mark.requires_postgres
        async def test_that_fails(monkeypatch):
            begun, begin = asyncio.Event(), IsolatedConnection.begin_test

            async def begin_slowly(connection, *arguments):
                begun.set()
                await begin(connection, *arguments)
                await asyncio.Event().wait()

            monkeypatch.setattr(IsolatedConnection, "begin_test", begin_slowly)
            manager = create_optimized_environment_manager(OptimizationLevel.CI_THOROUGH)
            await manager.initialize()

            async def use(number):
                async with manager.create_test_environment(f"test {number}") as environment:
                    await environment["redis"].set("only", number)
                    await environment["database"].execute("SELECT 1")

            # The plugin takes these for a fixture's, as it does with all tasks on Python 3.11: they run on.
            tests = [asyncio.create_task(use(number), context=contextvars.Context()) for number in range(20)]
            await begun.wait()
            raise AssertionError(len(tests))
    """)
    result = run("-p", "xdist.plugin", "-n2")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: 20*"])


async def test_a_client_of_bytes_does_not_wait(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager(max_concurrent_tests=5)
    used = [manager.create_test_environment(f"test {number}", ["redis", "redis_bytes"]) for number in range(3)]
    for environment in used:
        await environment["redis_bytes"].set("a", b"1")
        assert await environment["redis"].get("a") == "1"
    waiting = manager.create_test_environment("the fourth", ["redis", "redis_bytes"])
    message = r"the fourth: environment\['redis_bytes'\] cannot wait .* lower max_concurrent_tests, or set databases"
    with pytest.raises(IsolationError, match=message):
        waiting["redis_bytes"]
    client = waiting["redis"]
    with pytest.raises(IsolationError, match=message):
        waiting["redis_bytes"]
    await used[0].leave()
    assert await client.get("a") is None
    for environment in (*used, waiting):
        await environment.leave()
