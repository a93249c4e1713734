"""Turns: as many as there are, in order, and never lost."""

from __future__ import annotations

import asyncio
import threading

import pytest

from realservices.optimization.limits import FairLimit, PoolTimeoutError


def _limit(limit: int, timeout_s: float = 30.0) -> FairLimit:
    return FairLimit("max_concurrent_tests", limit, timeout_s=timeout_s, remedy="Raise it.")


async def _turns_of_the_loop() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_than_the_limit_at_once_and_the_rest_in_order() -> None:
    limit, order, most = _limit(3), [], 0

    async def use(number: int) -> None:
        nonlocal most
        permit = await limit.acquire(f"test {number}")
        order.append(number)
        most = max(most, len(limit.holders))
        await _turns_of_the_loop()
        permit.release()

    await asyncio.gather(*(use(number) for number in range(20)))
    assert order == list(range(20))
    assert most == limit.peak == 3
    assert (limit.holders, limit.waiting) == ([], [])


async def test_newcomer_does_not_overtake_who_waits() -> None:
    limit = _limit(1)
    held = await limit.acquire("first")
    waiting = asyncio.create_task(limit.acquire("second"))
    await _turns_of_the_loop()
    held.release()
    newcomer = asyncio.create_task(limit.acquire("third"))
    await _turns_of_the_loop()
    assert limit.holders == ["second"]
    (await waiting).release()
    (await newcomer).release()


async def test_who_has_waited_before_goes_first() -> None:
    limit = _limit(1)
    held = await limit.acquire("first")
    later = asyncio.create_task(limit.acquire("second"))
    again = asyncio.create_task(limit.acquire("again", first=True))
    await _turns_of_the_loop()
    assert limit.waiting == ["again", "second"]
    held.release()
    (await again).release()
    (await later).release()


async def test_too_long_a_wait_says_who_is_in_the_way() -> None:
    limit = _limit(2, timeout_s=0.01)
    for name in ("test_a", "test_b"):
        await limit.acquire(name)
    message = r"test_c has waited 0.01 s for one of max_concurrent_tests = 2; they are held by test_a, test_b. Raise it"
    with pytest.raises(PoolTimeoutError, match=message):
        await limit.acquire("test_c")
    assert limit.waiting == []


async def test_many_holders_are_counted_not_listed() -> None:
    limit = _limit(30, timeout_s=0.01)
    for number in range(15):
        await limit.acquire(f"test_{number}")
        await limit.acquire("same")
    with pytest.raises(PoolTimeoutError, match=r"same \(15 times\).* and 6 more"):
        await limit.acquire("late")


async def test_cancelled_waiters_lose_no_turn() -> None:
    limit = _limit(1)
    held = await limit.acquire("first")
    cancelled = asyncio.create_task(limit.acquire("cancelled"))
    following = asyncio.create_task(limit.acquire("following"))
    await _turns_of_the_loop()
    # Cancelled at the very moment at which it gets its turn.
    held.release()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    (await following).release()
    assert limit.holders == []


async def test_who_does_not_wait_takes_nobodys_turn() -> None:
    limit = _limit(1)
    held = limit.acquire_now("first")
    assert held is not None
    assert limit.acquire_now("second") is None
    waiting = asyncio.create_task(limit.acquire("third"))
    await _turns_of_the_loop()
    limit.resize(2)
    limit.resize(3)
    fourth = limit.acquire_now("fourth")
    assert limit.holders == ["first", "third", "fourth"]
    assert limit.acquire_now("fifth") is None
    for permit in (held, fourth, await waiting):
        assert permit is not None
        permit.release()
    assert limit.holders == []


async def test_released_twice_counts_once() -> None:
    limit = _limit(1)
    permit = await limit.acquire("first")
    permit.release()
    other = await limit.acquire("second")
    permit.release()
    assert limit.holders == ["second"]
    other.release()


async def test_larger_limit_serves_who_waits_and_a_smaller_one_takes_nothing_away() -> None:
    limit = _limit(1)
    first = await limit.acquire("first")
    waiting = [asyncio.create_task(limit.acquire(f"waiting {number}")) for number in range(2)]
    await _turns_of_the_loop()
    limit.resize(3)
    permits = [await task for task in waiting]
    limit.resize(1)
    assert len(limit.holders) == 3
    late = asyncio.create_task(limit.acquire("late"))
    for permit in (first, *permits):
        assert not late.done()
        permit.release()
        await _turns_of_the_loop()
    (await late).release()


def test_turns_pass_between_loops() -> None:
    limit = _limit(1)
    is_held, may_go = threading.Event(), threading.Event()

    async def hold() -> None:
        permit = await limit.acquire("holder")
        is_held.set()
        await asyncio.to_thread(may_go.wait, 30)
        permit.release()

    async def wait() -> float:
        acquiring = asyncio.create_task(limit.acquire("waiter"))
        await _turns_of_the_loop()
        may_go.set()
        return (await acquiring).waited_s

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert is_held.wait(30)
    assert asyncio.run(wait()) > 0
    thread.join()
