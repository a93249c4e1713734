"""Pools that follow the demand, on a real server with few connections."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from realservices.kinds.postgres.isolation.administration import connect_kwargs
from realservices.kinds.postgres.pool.lanes import PoolExhaustedError
from realservices.optimization.machine import Machine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.postgres.isolation.clones import Clone
    from realservices.kinds.postgres.pool.lanes import PostgresLanes
    from tests.optimization.conftest import Clock

_DEADLINE_S = 30.0


async def _all_at_once(lanes: PostgresLanes, count: int, *, kind: str = "transaction") -> None:
    """Have so many tests that use a database at the same time, as far as they may; each must be alone in its own."""

    async def test() -> None:
        context = lanes.transaction(keep=True) if kind == "transaction" else lanes.connection_to_clone()
        async with context as connection:
            await connection.execute("CREATE TABLE ledger (entry text PRIMARY KEY)")
            await connection.execute("INSERT INTO ledger VALUES ('only')")
            assert await connection.fetchval("SELECT count(*) FROM ledger") == 1

    await asyncio.gather(*(test() for _ in range(count)))


async def _take_at_once(lanes: PostgresLanes, count: int) -> None:
    taken = await asyncio.gather(*(asyncio.wrap_future(lanes.clones.take()) for _ in range(count)))
    await asyncio.gather(*(asyncio.wrap_future(lanes.clones.give_back(clone)) for clone in taken))


async def _settled(lanes: PostgresLanes) -> None:
    """Wait until what is to be ready is there."""
    await asyncio.wrap_future(lanes._background.submit(_made(lanes)))


async def _made(lanes: PostgresLanes) -> None:
    await asyncio.gather(*lanes.clones._ready)


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


async def test_more_demand_makes_more_ready_and_fewer_wait(make_lanes: Callable[..., PostgresLanes]) -> None:
    lanes = make_lanes(min_ready_databases=0, max_ready_databases=10)
    demand = lanes.clones.demand
    await _take_at_once(lanes, 6)
    waits_before = demand.waits
    assert waits_before >= 5
    await _settled(lanes)
    assert lanes.clones.ready >= 6

    await _take_at_once(lanes, 6)
    assert demand.waits == waits_before


async def test_slow_machine_is_not_taken_for_demand(
    make_lanes: Callable[..., PostgresLanes], monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = make_lanes(min_ready_databases=2, max_ready_databases=2)
    await _take_at_once(lanes, 1)
    await _settled(lanes)
    waits_before = lanes.clones.demand.waits
    begin_use = lanes.clones._begin_use

    async def slow(clone: Clone) -> None:
        await asyncio.sleep(0.02)
        await begin_use(clone)

    monkeypatch.setattr(lanes.clones, "_begin_use", slow)
    await _take_at_once(lanes, 2)
    assert lanes.clones.demand.waits == waits_before


async def test_fixed_number_ready_would_not_have_been_enough(make_lanes: Callable[..., PostgresLanes]) -> None:
    lanes = make_lanes(min_ready_databases=2, max_ready_databases=2)
    for _ in range(2):
        waits_before = lanes.clones.demand.waits
        await _take_at_once(lanes, 6)
        await _settled(lanes)
    assert lanes.clones.demand.waits - waits_before >= 3
    assert lanes.clones.ready == 2


async def test_when_the_demand_is_gone_they_are_dropped(
    make_lanes: Callable[..., PostgresLanes], clock: Clock, postgres_endpoint: Endpoint
) -> None:
    lanes = make_lanes(min_ready_databases=1, max_ready_databases=10)
    await _take_at_once(lanes, 6)
    await _settled(lanes)
    clock.now += lanes._strategy.settings.demand_window_s + 1
    await asyncio.wrap_future(lanes.clones.trim())
    assert lanes.clones.ready == 1
    assert len(lanes.clones._existing) == 1


async def test_demand_that_is_gone_is_noticed_without_another_test(make_lanes: Callable[..., PostgresLanes]) -> None:
    lanes = make_lanes(clock=time.monotonic, min_ready_databases=0, max_ready_databases=10, demand_window_s=0.05)
    await _take_at_once(lanes, 4)
    await _all_at_once(lanes, 3)
    await _until(lambda: lanes.clones.ready == 0)
    await _until(lambda: lanes.lanes == 0)
    await _until(lambda: not lanes.clones._existing)


async def test_lanes_are_reused_and_closed_when_nobody_needs_them(
    make_lanes: Callable[..., PostgresLanes], clock: Clock, postgres_endpoint: Endpoint
) -> None:
    lanes = make_lanes(min_ready_databases=1)
    for _ in range(3):
        await _all_at_once(lanes, 4)
    assert lanes.lanes == lanes.limit.peak == 4
    clock.now += lanes._strategy.settings.demand_window_s + 1
    await lanes.trim()
    assert lanes.lanes == 1


async def test_little_memory_bounds_both(make_lanes: Callable[..., PostgresLanes]) -> None:
    clone_bytes = (await asyncio.wrap_future(make_lanes().clones.room())).clone_bytes
    assert clone_bytes > 2**20
    lanes = make_lanes(machine=Machine(2, 20 * clone_bytes + 1), memory_share=0.1, max_ready_databases=10)
    await _all_at_once(lanes, 6)
    assert (lanes.limit.limit, lanes.limit.peak) == (2, 2)
    await _take_at_once(lanes, 6)
    await _settled(lanes)
    assert lanes.clones.ready <= 2


@pytest.mark.parametrize("kind", ["transaction", "database"])
async def test_few_connections_bound_lanes_and_every_test_gets_its_turn(
    make_lanes: Callable[..., PostgresLanes], max_connections: int, postgres_endpoint: Endpoint, kind: str
) -> None:
    lanes = make_lanes(pool_max_connections=100, reserved_connections=4)
    await _all_at_once(lanes, 40, kind=kind)
    # Less those that are left to others, 3 that only superusers get, and 3 of our own for making and dropping.
    assert 8 <= lanes.limit.peak <= max_connections - 4 - 3 - 3
    assert await _connections(postgres_endpoint) <= max_connections - 4


async def test_connections_of_others_are_left_to_them(
    make_lanes: Callable[..., PostgresLanes], max_connections: int, postgres_endpoint: Endpoint
) -> None:
    alone, beside = make_lanes(reserved_connections=2), make_lanes(reserved_connections=2)
    await _all_at_once(alone, 1)
    async with _others(postgres_endpoint, 5):
        await _all_at_once(beside, 1)
        assert beside.limit.limit < alone.limit.limit - 4


async def test_connections_that_others_take_meanwhile_are_done_without(
    make_lanes: Callable[..., PostgresLanes], max_connections: int, postgres_endpoint: Endpoint
) -> None:
    lanes = make_lanes(pool_max_connections=100, reserved_connections=0)
    await _all_at_once(lanes, 2)
    before = lanes.limit.limit
    # All but one: the server refuses the lanes that it promised, and the tests go on with three.
    async with _others(postgres_endpoint, max_connections - await _connections(postgres_endpoint) - 1):
        await _all_at_once(lanes, 20)
        assert lanes.limit.limit < before
        assert 2 <= lanes.lanes <= 3


async def test_no_connection_left_at_all_says_so(
    make_lanes: Callable[..., PostgresLanes], max_connections: int, postgres_endpoint: Endpoint
) -> None:
    lanes = make_lanes(enable_resource_pooling=False)
    await _all_at_once(lanes, 1)
    async with _others(postgres_endpoint, max_connections - await _connections(postgres_endpoint) - 1):
        with pytest.raises(PoolExhaustedError, match=r"has no connection left .*max_connections"):
            async with _others(postgres_endpoint, 1):
                await _all_at_once(lanes, 1)
    await _all_at_once(lanes, 1)


async def test_test_that_was_cancelled_leaves_nothing(
    make_lanes: Callable[..., PostgresLanes], postgres_endpoint: Endpoint
) -> None:
    lanes = make_lanes(min_ready_databases=0)

    async def use(result: Any) -> None:
        async with lanes.transaction(keep=True) as connection:
            result.set_result(None)
            await connection.execute("SELECT pg_sleep(60)")

    # At every stage: before it has asked, while its lane is made, while it uses it.
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
    assert lanes.limit.holders == []
    await _all_at_once(lanes, 3)
