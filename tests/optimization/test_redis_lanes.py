"""Numbered databases for several tests of a process at once, and what happens when there are no more."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from realservices.isolation.errors import IsolationError, NumbersExhaustedError
from realservices.kinds.redis.pool.lanes import RedisLanes
from realservices.optimization.limits import PoolTimeoutError
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realservices.clients.control import BlockingServiceControl

_DEADLINE_S = 60.0


@pytest.fixture
def make_lanes(tmp_path: Any) -> Iterator[Callable[..., RedisLanes]]:
    """Makes lanes on the target's server, with locks of the test's own."""
    made: list[RedisLanes] = []

    def make(databases: int, *, pooling: bool = True, timeout_s: float = 20) -> RedisLanes:
        endpoint = dataclasses.replace(find_services().endpoint("redis"), databases=databases)
        made.append(RedisLanes(endpoint, str(tmp_path), pooling=pooling, timeout_s=timeout_s))
        return made[-1]

    yield make
    for lanes in made:
        lanes.close()


@pytest.mark.parametrize("pooling", [True, False])
def test_numbers_come_back(make_lanes: Callable[..., RedisLanes], pooling: bool) -> None:
    lanes = make_lanes(8, pooling=pooling)
    for _ in range(5):
        leases = [lanes.lease() for _ in range(7)]
        assert sorted(lease.number for lease in leases) == list(range(1, 8))
        assert len({lease.user for lease in leases}) == 7
        for lease in leases:
            lanes.release(lease)


def test_lanes_that_fail_keep_no_number(
    make_lanes: Callable[..., RedisLanes], service_control_sync: BlockingServiceControl
) -> None:
    lanes = make_lanes(4)
    service_control_sync.kill("redis")
    for _ in range(5):
        with pytest.raises(IsolationError, match="does not answer"):
            lanes.lease()
    service_control_sync.start("redis")
    assert sorted(lanes.lease().number for _ in range(3)) == [1, 2, 3]


def test_error_names_limit_and_remedy_and_the_next_release_helps(make_lanes: Callable[..., RedisLanes]) -> None:
    lanes = make_lanes(4)
    leases = [lanes.lease() for _ in range(3)]
    with pytest.raises(NumbersExhaustedError, match=r"all of the 4 databases .*Lower max_concurrent_tests"):
        lanes.lease()
    lanes.release(leases[0])
    assert lanes.lease().number == leases[0].number


async def test_a_wait_ends_with_the_next_release_or_with_the_reason(make_lanes: Callable[..., RedisLanes]) -> None:
    lanes = make_lanes(4, timeout_s=0.05)
    leases = [lanes.lease() for _ in range(3)]
    message = (
        r"has waited 0.05 s .* = 3; .*\(3 times\).* The server has 4, .*set databases on the redis_service to more"
    )
    with pytest.raises(PoolTimeoutError, match=message):
        async with lanes.client_in_turn(keep=False):
            pass
    lanes.release(leases[0])
    async with lanes.client_in_turn(keep=False) as client:
        assert (client.number, await client.dbsize()) == (leases[0].number, 0)
    for lease in leases[1:]:
        lanes.release(lease)


async def test_nobody_takes_a_number_from_who_has_waited_for_it(make_lanes: Callable[..., RedisLanes]) -> None:
    async def wait() -> int:
        async with lanes.client_in_turn(keep=False) as client:
            return client.number

    lanes = make_lanes(4)
    leases = [lanes.lease() for _ in range(3)]
    with pytest.raises(NumbersExhaustedError):
        lanes.lease()
    waiting = asyncio.create_task(wait())
    async with asyncio.timeout(_DEADLINE_S):
        while not lanes._limit.waiting:
            await asyncio.sleep(0)
    lanes.release(leases[0])
    # It is the other one's now, which has not had its turn of the loop yet.
    with pytest.raises(NumbersExhaustedError):
        lanes.lease()
    assert await waiting == leases[0].number
    for lease in leases[1:]:
        lanes.release(lease)


def test_two_processes_never_have_the_same(make_lanes: Callable[..., RedisLanes]) -> None:
    one, two = make_lanes(9), make_lanes(9)
    numbers = [lanes.lease().number for _ in range(4) for lanes in (one, two)]
    assert sorted(numbers) == list(range(1, 9))


def test_number_rests_before_it_is_used_again(make_lanes: Callable[..., RedisLanes]) -> None:
    lanes = make_lanes(128)
    numbers = []
    for _ in range(3):
        lease = lanes.lease()
        numbers.append(lease.number)
        lanes.release(lease)
    assert len(set(numbers)) == 3


async def test_blocking_and_asynchronous_clients_of_a_lease_are_one_database(
    make_lanes: Callable[..., RedisLanes],
) -> None:
    lanes = make_lanes(8)
    lease, other = lanes.lease(), lanes.lease()
    with lanes.client_sync(lease) as blocking, lanes.client_sync(other) as elsewhere:
        blocking.set("key", "value")
        assert elsewhere.dbsize() == 0
        client, close = lanes.client_to_close(lease)
        assert await client.get("key") == "value"
        await close()
    lanes.release(lease)
    lanes.restore()
    lanes.release(other)
