"""Pools that follow the demand, on a real server with few connections."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.kinds.postgres.isolation.administration import connect_kwargs
from realservices.kinds.postgres.pool.pool import PoolExhaustedError
from realservices.optimization.machine_resources import Machine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.postgres.isolation.clone import Clone
    from realservices.kinds.postgres.pool.pool import PostgresPool
    from tests.optimization.conftest import Clock

_DEADLINE_S = 30.0


async def _all_at_once(pool: PostgresPool, count: int, *, kind: str = "transaction") -> None:
    """Have so many tests that use a database at the same time, as far as they may; each must be alone in its own."""

    async def test() -> None:
        context = pool.transaction(keep=True) if kind == "transaction" else pool.connection_to_clone()
        async with context as connection:
            await connection.execute("CREATE TABLE ledger (entry text PRIMARY KEY)")
            await connection.execute("INSERT INTO ledger VALUES ('only')")
            assert await connection.fetchval("SELECT count(*) FROM ledger") == 1

    await asyncio.gather(*(test() for _ in range(count)))


async def _take_at_once(pool: PostgresPool, count: int) -> None:
    taken = await asyncio.gather(*(asyncio.wrap_future(pool.clones.take()) for _ in range(count)))
    await asyncio.gather(*(asyncio.wrap_future(pool.clones.give_back(clone)) for clone in taken))


async def _settled(pool: PostgresPool) -> None:
    """Wait until what is to be ready is there."""
    await asyncio.wrap_future(pool._background.submit(_made(pool)))


async def _made(pool: PostgresPool) -> None:
    await asyncio.gather(*pool.clones._ready)


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def _connections(endpoint: Endpoint) -> int:
    connection = await asyncpg.connect(**connect_kwargs(endpoint, "postgres"))
    sql = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    count: int = await connection.fetchval(sql)
    await connection.close()
    return count


@contextlib.asynccontextmanager
async def _others(endpoint: Endpoint, count: int) -> AsyncIterator[None]:
    """Hold connections as programs under test do."""
    connections = [await asyncpg.connect(**connect_kwargs(endpoint, "postgres")) for _ in range(count)]
    try:
        yield
    finally:
        for connection in connections:
            await connection.close()


@pytest.fixture
async def max_connections(postgres_endpoint: Endpoint) -> int:
    """What the BUILD file says of the server."""
    connection = await asyncpg.connect(**connect_kwargs(postgres_endpoint, "postgres"))
    value = int(await connection.fetchval("SHOW max_connections"))
    await connection.close()
    assert value <= 30
    return value


async def test_more_demand_makes_more_ready_and_fewer_wait(make_pool: Callable[..., PostgresPool]) -> None:
    pool = make_pool(min_ready_databases=0, max_ready_databases=10)
    demand = pool.clones.demand
    await _take_at_once(pool, 6)
    waits_before = demand.waits
    assert waits_before >= 5
    await _settled(pool)
    assert pool.clones.ready >= 6

    await _take_at_once(pool, 6)
    assert demand.waits == waits_before


async def test_slow_machine_is_not_taken_for_demand(
    make_pool: Callable[..., PostgresPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(min_ready_databases=2, max_ready_databases=2)
    await _take_at_once(pool, 1)
    await _settled(pool)
    waits_before = pool.clones.demand.waits
    begin_use = pool.clones._begin_use

    async def slow(clone: Clone) -> None:
        await asyncio.sleep(0.02)
        await begin_use(clone)

    monkeypatch.setattr(pool.clones, "_begin_use", slow)
    await _take_at_once(pool, 2)
    assert pool.clones.demand.waits == waits_before


async def test_fixed_number_ready_would_not_have_been_enough(make_pool: Callable[..., PostgresPool]) -> None:
    pool = make_pool(min_ready_databases=2, max_ready_databases=2)
    for _ in range(2):
        waits_before = pool.clones.demand.waits
        await _take_at_once(pool, 6)
        await _settled(pool)
    assert pool.clones.demand.waits - waits_before >= 3
    assert pool.clones.ready == 2


async def test_when_the_demand_is_gone_they_are_dropped(
    make_pool: Callable[..., PostgresPool], clock: Clock, postgres_endpoint: Endpoint
) -> None:
    pool = make_pool(min_ready_databases=1, max_ready_databases=10)
    await _take_at_once(pool, 6)
    await _settled(pool)
    clock.now += pool._strategy.settings.demand_window_s + 1
    await asyncio.wrap_future(pool.clones.trim())
    assert pool.clones.ready == 1
    assert len(pool.clones._existing) == 1


async def test_demand_that_is_gone_is_noticed_without_another_test(make_pool: Callable[..., PostgresPool]) -> None:
    pool = make_pool(clock=time.monotonic, min_ready_databases=0, max_ready_databases=10, demand_window_s=0.05)
    await _take_at_once(pool, 4)
    await _all_at_once(pool, 3)
    await _until(lambda: pool.clones.ready == 0)
    await _until(lambda: len(pool.pooled.members) == 0)
    await _until(lambda: not pool.clones._existing)


async def test_pooled_connections_are_reused_and_closed_when_nobody_needs_them(
    make_pool: Callable[..., PostgresPool], clock: Clock, postgres_endpoint: Endpoint
) -> None:
    pool = make_pool(min_ready_databases=1)
    for _ in range(3):
        await _all_at_once(pool, 4)
    assert len(pool.pooled.members) == pool.limit.peak == 4
    clock.now += pool._strategy.settings.demand_window_s + 1
    await pool.pooled.trim()
    assert len(pool.pooled.members) == 1


async def test_little_memory_bounds_both(make_pool: Callable[..., PostgresPool]) -> None:
    clone_bytes = (await asyncio.wrap_future(make_pool().clones.room())).clone_bytes
    assert clone_bytes > 2**20
    pool = make_pool(machine=Machine(2, 20 * clone_bytes + 1), memory_share=0.1, max_ready_databases=10)
    await _all_at_once(pool, 6)
    assert (pool.limit.limit, pool.limit.peak) == (2, 2)
    await _take_at_once(pool, 6)
    await _settled(pool)
    assert pool.clones.ready <= 2


@pytest.mark.parametrize("kind", ["transaction", "database"])
async def test_few_connections_bound_the_pool_and_every_test_gets_its_turn(
    make_pool: Callable[..., PostgresPool], max_connections: int, postgres_endpoint: Endpoint, kind: str
) -> None:
    pool = make_pool(pool_max_connections=100, reserved_connections=4)
    await _all_at_once(pool, 40, kind=kind)
    # Less those that are left to others, 3 that only superusers get, and 3 of our own for making and dropping.
    assert 8 <= pool.limit.peak <= max_connections - 4 - 3 - 3
    assert await _connections(postgres_endpoint) <= max_connections - 4


async def test_connections_of_others_are_left_to_them(
    make_pool: Callable[..., PostgresPool], max_connections: int, postgres_endpoint: Endpoint
) -> None:
    alone, beside = make_pool(reserved_connections=2), make_pool(reserved_connections=2)
    await _all_at_once(alone, 1)
    async with _others(postgres_endpoint, 5):
        await _all_at_once(beside, 1)
        assert beside.limit.limit < alone.limit.limit - 4


async def test_connections_that_others_take_meanwhile_are_done_without(
    make_pool: Callable[..., PostgresPool], max_connections: int, postgres_endpoint: Endpoint
) -> None:
    pool = make_pool(pool_max_connections=100, reserved_connections=0)
    await _all_at_once(pool, 2)
    before = pool.limit.limit
    # All but one: the server refuses the pool that it promised, and the tests go on with three.
    async with _others(postgres_endpoint, max_connections - await _connections(postgres_endpoint) - 1):
        await _all_at_once(pool, 20)
        assert pool.limit.limit < before
        assert 2 <= len(pool.pooled.members) <= 3


async def test_no_connection_left_at_all_says_so(
    make_pool: Callable[..., PostgresPool], max_connections: int, postgres_endpoint: Endpoint
) -> None:
    pool = make_pool(enable_resource_pooling=False)
    await _all_at_once(pool, 1)
    async with _others(postgres_endpoint, max_connections - await _connections(postgres_endpoint) - 1):
        with pytest.raises(PoolExhaustedError, match=r"has no connection left .*max_connections"):
            async with _others(postgres_endpoint, 1):
                await _all_at_once(pool, 1)
    await _all_at_once(pool, 1)


async def test_test_that_was_cancelled_leaves_nothing(
    make_pool: Callable[..., PostgresPool], postgres_endpoint: Endpoint
) -> None:
    pool = make_pool(min_ready_databases=0)

    async def use(result: Any) -> None:
        async with pool.transaction(keep=True) as connection:
            result.set_result(None)
            await connection.execute("SELECT pg_sleep(60)")

    # At every stage: before it has asked, while its pooled is made, while it uses it.
    for turns in (0, 1, 3, 10):
        task = asyncio.create_task(use(asyncio.get_running_loop().create_future()))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    running: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(use(running))
    await running
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.limit.holders == []
    await _all_at_once(pool, 3)
