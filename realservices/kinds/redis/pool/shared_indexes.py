"""Where pooled connections get their database indexes on a Redis server that is the session's own."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationError
from realservices.kinds.redis.isolation.index_ranges import IndexesExhaustedError, IndexRange

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


class SharedIndexes:
    """The indexes of a process, each for one pooled connection at a time; those that rested longest come first."""

    def __init__(self, endpoint: Endpoint, directory: str) -> None:
        self._endpoint = endpoint
        self._directory = directory
        self._ranges: list[IndexRange] = []
        self._free: deque[int] = deque()

    def claim(self) -> int | None:
        """Return an index, or None where there is no more."""
        if not self._free:
            with contextlib.suppress(IsolationError):  # Other processes hold the rest.
                self._claim_range()
        return self._free.popleft() if self._free else None

    def release(self, index: int) -> None:
        """Leave an index to the next pooled connection."""
        self._free.append(index)

    def close(self) -> None:
        """Leave all to other processes."""
        for each in self._ranges:
            each.close()

    def _claim_range(self) -> None:
        claimed = IndexRange(self._endpoint, self._directory)
        self._ranges.append(claimed)
        self._free.extend(claimed.range)


class PooledIndexes:
    """The indexes as one pooled connection sees them: without a free one for its next test, it keeps its own."""

    def __init__(self, shared: SharedIndexes) -> None:
        self._shared = shared
        self.index: int | None = None  # Of the next test of the pooled connection, or of its present one.

    def claim(self) -> int:
        """Return the index for the next test of the pooled connection.

        Raises:
            IndexesExhaustedError: Other tests and processes have them all.
        """
        following = self._shared.claim() or self.index
        if following is None:
            raise IndexesExhaustedError("no database index is free")
        self.index = following
        return following

    def close(self) -> None:
        """Do nothing: the ranges are the process's."""
