"""Numbered databases for several tests of a process at once, and what happens when there are no more."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from realservices.isolation.errors import IsolationError
from realservices.kinds.redis.isolation.index_ranges import IndexesExhaustedError
from realservices.kinds.redis.pool.pool import RedisPool
from realservices.optimization.limits import PoolTimeoutError
from realservices.optimization.optimization_levels import OptimizationLevel, settings_for
from realservices.optimization.strategy import AdaptiveStrategy
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realservices.control.client import BlockingServiceControl

_DEADLINE_S = 60.0


@pytest.fixture
def make_pool(tmp_path: Any) -> Iterator[Callable[..., RedisPool]]:
    """Makes pool on the target's server, with locks of the test's own."""
    made: list[RedisPool] = []

    def make(databases: int, *, pooling: bool = True, timeout_s: float = 20, **settings: Any) -> RedisPool:
        endpoint = dataclasses.replace(find_services().endpoint("redis"), databases=databases)
        settings |= {"enable_resource_pooling": pooling, "acquire_timeout_s": timeout_s}
        strategy = AdaptiveStrategy(settings_for(OptimizationLevel.CI_FAST, settings))
        made.append(RedisPool(endpoint, str(tmp_path), strategy))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


@pytest.mark.parametrize("pooling", [True, False])
def test_indexes_come_back(make_pool: Callable[..., RedisPool], pooling: bool) -> None:
    pool = make_pool(8, pooling=pooling)
    for _ in range(5):
        leases = [pool.lease() for _ in range(7)]
        assert sorted(lease.database_index for lease in leases) == list(range(1, 8))
        assert len({lease.user for lease in leases}) == 7
        for lease in leases:
            pool.release(lease)


def test_pooled_connections_that_fail_keep_no_database(
    make_pool: Callable[..., RedisPool], service_control_sync: BlockingServiceControl
) -> None:
    pool = make_pool(4)
    service_control_sync.kill("redis")
    for _ in range(5):
        with pytest.raises(IsolationError, match="does not answer"):
            pool.lease()
    service_control_sync.start("redis")
    assert sorted(pool.lease().database_index for _ in range(3)) == [1, 2, 3]


def test_error_names_limit_and_remedy_and_the_next_release_helps(make_pool: Callable[..., RedisPool]) -> None:
    pool = make_pool(4)
    leases = [pool.lease() for _ in range(3)]
    with pytest.raises(IndexesExhaustedError, match=r"all of the 4 databases .*Lower max_concurrent_tests"):
        pool.lease()
    pool.release(leases[0])
    assert pool.lease().database_index == leases[0].database_index


async def test_a_wait_ends_with_the_next_release_or_with_the_reason(make_pool: Callable[..., RedisPool]) -> None:
    pool = make_pool(4, timeout_s=0.05)
    leases = [pool.lease() for _ in range(3)]
    message = (
        r"has waited 0.05 s .* = 3; .*\(3 times\).* The server has 4, .*set databases on the redis_service to more"
    )
    with pytest.raises(PoolTimeoutError, match=message):
        async with pool.client_in_turn(keep=False):
            pass
    pool.release(leases[0])
    async with pool.client_in_turn(keep=False) as client:
        assert (client.database_index, await client.dbsize()) == (leases[0].database_index, 0)
    for lease in leases[1:]:
        pool.release(lease)


async def test_nobody_takes_a_number_from_who_has_waited_for_it(make_pool: Callable[..., RedisPool]) -> None:
    async def wait() -> int:
        async with pool.client_in_turn(keep=False) as client:
            return client.database_index

    pool = make_pool(4)
    leases = [pool.lease() for _ in range(3)]
    with pytest.raises(IndexesExhaustedError):
        pool.lease()
    waiting = asyncio.create_task(wait())
    async with asyncio.timeout(_DEADLINE_S):
        while not pool._limit.waiting:
            await asyncio.sleep(0)
    pool.release(leases[0])
    # It is the other one's now, which has not had its turn of the loop yet.
    with pytest.raises(IndexesExhaustedError):
        pool.lease()
    assert await waiting == leases[0].database_index
    for lease in leases[1:]:
        pool.release(lease)


def test_two_processes_never_have_the_same(make_pool: Callable[..., RedisPool]) -> None:
    one, two = make_pool(9), make_pool(9)
    indexes = [pool.lease().database_index for _ in range(4) for pool in (one, two)]
    assert sorted(indexes) == list(range(1, 9))


def test_number_rests_before_it_is_used_again(make_pool: Callable[..., RedisPool]) -> None:
    pool = make_pool(128)
    indexes = []
    for _ in range(3):
        lease = pool.lease()
        indexes.append(lease.database_index)
        pool.release(lease)
    assert len(set(indexes)) == 3


async def test_blocking_and_asynchronous_clients_of_a_lease_are_one_database(
    make_pool: Callable[..., RedisPool],
) -> None:
    pool = make_pool(8)
    lease, other = pool.lease(), pool.lease()
    with pool.client_sync(lease) as blocking, pool.client_sync(other) as elsewhere:
        blocking.set("key", "value")
        assert elsewhere.dbsize() == 0
        client, close = pool.client_to_close(lease)
        assert await client.get("key") == "value"
        await close()
    pool.release(lease)
    pool.restore()
    pool.release(other)


async def test_pooled_connections_end_when_nobody_needs_them(make_pool: Callable[..., RedisPool]) -> None:
    pool = make_pool(8, min_ready_databases=1, demand_window_s=0.05)
    for lease in [pool.lease() for _ in range(4)]:
        pool.release(lease)
    assert len(pool.pooled.members) == 4
    async with asyncio.timeout(_DEADLINE_S):
        while len(pool.pooled.members) > 1:
            await asyncio.sleep(0.01)
    # Their indexes are there for the next ones.
    assert len([pool.lease() for _ in range(7)]) == 7
