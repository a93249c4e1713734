"""Redis for several tests at once in one process: a lane for each, with accounts and a connection of its own.

A lane is `RedisIsolation` as one test after the other uses it. All lanes share the process's numbered databases, of
which further ranges are claimed as they are needed. On a server that somebody else runs each lane leases its own.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationError
from realservices.isolation.redis.isolation import RedisIsolation
from realservices.isolation.redis.numbers import Numbers
from realservices.optimization.monitor import current_test

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.redis.clients import IsolatedRedis, IsolatedRedisSync
    from realservices.isolation.redis.lease import RedisLease


class NumbersExhaustedError(IsolationError):
    """All numbered databases are in use."""


class _SharedNumbers:
    """The numbers of a process, each given to one lane at a time; those that rested longest first."""

    def __init__(self, endpoint: Endpoint, directory: str) -> None:
        self._endpoint = endpoint
        self._directory = directory
        self._ranges: list[Numbers] = []
        self._free: deque[int] = deque()

    def take(self) -> int | None:
        """Return a number, or None where there is no more."""
        if not self._free:
            with contextlib.suppress(IsolationError):  # Other processes hold the rest.
                self._claim()
        return self._free.popleft() if self._free else None

    def give(self, number: int) -> None:
        """Take a number back."""
        self._free.append(number)

    def close(self) -> None:
        """Leave all to other processes."""
        for numbers in self._ranges:
            numbers.close()

    def _claim(self) -> None:
        numbers = Numbers(self._endpoint, self._directory)
        self._ranges.append(numbers)
        self._free.extend(numbers.range)


class _LaneNumbers:
    """A lane's view of them. Where there is no other number for its next test it goes on with the one it has."""

    def __init__(self, shared: _SharedNumbers) -> None:
        self._shared = shared
        self.number: int | None = None  # What the lane's next test has, or its present one.

    def take(self) -> int:
        """Return the number for the lane's next test."""
        following = self._shared.take() or self.number
        if following is None:
            raise LookupError
        self.number = following
        return following

    def close(self) -> None:
        """Do nothing: the ranges are the process's."""


class _Lane(RedisIsolation):
    def __init__(self, endpoint: Endpoint, directory: str, numbers: _LaneNumbers | None) -> None:
        super().__init__(endpoint, directory, numbers)
        self.shared_numbers = numbers


class RedisLanes(RedisIsolation):
    """What one process uses of one Redis service, many tests at once.

    Args:
        endpoint: The service.
        directory: What all processes that share it share, for locks.
        pooling: Whether a lane serves one test after the other.
    """

    def __init__(self, endpoint: Endpoint, directory: str, *, pooling: bool) -> None:
        self._shared = _SharedNumbers(endpoint, directory)
        super().__init__(endpoint, directory, _LaneNumbers(self._shared))
        self._directory = directory
        self._pooling = pooling
        self._idle: list[_Lane] = []
        self._used: dict[int, tuple[_Lane, str]] = {}  # Lane and test, by the number of the lease.
        self._ended: list[_Lane] = []  # What they keep can only be closed where the loop runs.

    @property
    def lanes(self) -> int:
        """How many lanes there are."""
        return len(self._idle) + len(self._used)

    def lease(self) -> RedisLease:
        """Give a test a number; the database is empty.

        Raises:
            NumbersExhaustedError: Other tests and processes have them all.
        """
        lane = self._idle.pop() if self._idle else self._new_lane()
        try:
            lease = lane.lease()
        except LookupError:
            raise self._exhausted() from None
        self._used[lease.number] = lane, current_test().test_id
        return lease

    def release(self, lease: RedisLease) -> None:
        """Take it back as `RedisIsolation` does; the lane is another test's then."""
        lane, _ = self._used.pop(lease.number)
        is_fit = False
        try:
            lane.release(lease)
            is_fit = self._pooling
        finally:
            if lane.shared_numbers and lane.shared_numbers.number != lease.number:
                self._shared.give(lease.number)
            if is_fit:
                self._idle.append(lane)
            else:
                self._end(lane)

    @contextlib.contextmanager
    def client(self, lease: RedisLease) -> Iterator[IsolatedRedis]:
        """Give an asyncio client for the session's loop."""
        with self._used[lease.number][0].client(lease) as client:
            yield client

    def client_to_close(self, lease: RedisLease) -> tuple[IsolatedRedis, Callable[[], Awaitable[None]]]:
        """Return an asyncio client for a loop that ends with the test, and what closes it there."""
        if lease.number not in self._used:  # The servers' own database belongs to no lane.
            return super().client_to_close(lease)
        return self._used[lease.number][0].client_to_close(lease)

    @contextlib.contextmanager
    def client_sync(self, lease: RedisLease) -> Iterator[IsolatedRedisSync]:
        """Give a blocking client."""
        with self._used[lease.number][0].client_sync(lease) as client:
            yield client

    def restore(self) -> None:
        """Make the accounts again: a restarted server has forgotten them."""
        for lane in self._all():
            lane.restore()

    async def close_loop(self) -> None:
        """Close what belongs to the session's loop, before it ends."""
        await super().close_loop()
        for lane in (*self._all(), *self._ended):
            await lane.close_loop()
        self._ended.clear()

    def close(self) -> None:
        """Disconnect and leave the numbers to others."""
        for lane in self._all():
            lane.close()
        super().close()
        self._shared.close()

    def _new_lane(self) -> _Lane:
        numbers = _LaneNumbers(self._shared) if self.endpoint.disposable else None
        return _Lane(self.endpoint, self._directory, numbers)

    def _all(self) -> list[_Lane]:
        return [*self._idle, *(lane for lane, _ in self._used.values())]

    def _end(self, lane: _Lane) -> None:
        if lane.shared_numbers and lane.shared_numbers.number is not None:
            self._shared.give(lane.shared_numbers.number)
        lane.close()
        self._ended.append(lane)

    def _exhausted(self) -> NumbersExhaustedError:
        service = self.endpoint
        holders = ", ".join(sorted(test for _, test in self._used.values())) or "other processes of this test"
        return NumbersExhaustedError(
            f"{current_test().test_id}: all of the {service.databases} databases of Redis service {service.name!r} "
            f"({service.label}) that this process can have are in use, by {holders}. Lower max_concurrent_tests, run "
            "fewer pytest-xdist workers, or set databases on the redis_service to more"
        )
