"""Where pooled connections get their numbered databases on a Redis server that is the session's own."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationError
from realservices.kinds.redis.isolation.numbers import Numbers

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


class SharedNumbers:
    """The numbers of a process, each given to one pooled connection at a time; those that rested longest first."""

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


class PooledNumbers:
    """A pooled connection's view of them. Without another number for its next test it goes on with the one it has."""

    def __init__(self, shared: SharedNumbers) -> None:
        self._shared = shared
        self.number: int | None = None  # What the pooled connection's next test has, or its present one.

    def take(self) -> int:
        """Return the number for the pooled connection's next test."""
        following = self._shared.take() or self.number
        if following is None:
            raise LookupError
        self.number = following
        return following

    def close(self) -> None:
        """Do nothing: the ranges are the process's."""
