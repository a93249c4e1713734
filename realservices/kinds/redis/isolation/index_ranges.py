"""The database indexes of one process, held by a file lock against all other processes of the same test.

pytest-xdist's workers are such processes, and so is a pytest that a test starts. The kernel releases the lock of a
process that dies, whatever kills it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Protocol

from realservices.isolation.errors import IsolationError
from realservices.system.locks import FileLock

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint

# More processes than a machine runs at once; with the usual 128 databases each has 3.
_MOST_PROCESSES = 32
# So many tests later something late of one no longer meets another.
_IN_TURN = 3


class IndexesExhaustedError(IsolationError):
    """All databases of a Redis server are in use."""


class IndexSource(Protocol):
    """What gives database indexes to `RedisIsolation`."""

    def claim(self) -> int:
        """Return the index of a database that no test uses."""

    def close(self) -> None:
        """Leave the indexes to other processes."""


class IndexRange:
    """A range of database indexes, given out in turn, so that something late of one test does not meet the next.

    Attributes:
        range: The indexes.

    Args:
        endpoint: The Redis service. Its database 0 is what programs have by REDIS_URL, and never given out.
        directory: Where the locks lie.

    Raises:
        IsolationError: Other processes hold all indexes.
    """

    def __init__(self, endpoint: Endpoint, directory: str) -> None:
        usable = endpoint.databases - 1
        ranges = min(_MOST_PROCESSES, usable)
        for number in range(ranges):
            self._lock = FileLock(f"{directory}/{endpoint.name}.indexes-{number}")
            if self._lock.try_acquire():
                width = usable // ranges
                self.range = range(1 + number * width, 1 + (number + 1) * width)
                self._cycle = itertools.cycle(self.range[:_IN_TURN])
                return
        raise IsolationError(
            f"Redis service {endpoint.name!r} ({endpoint.label}) has {endpoint.databases} databases, and {ranges} "
            "processes of this test use them already; run fewer pytest-xdist workers or set databases on the "
            "redis_service to more than their number"
        )

    def claim(self) -> int:
        """Return the next index."""
        return next(self._cycle)

    def close(self) -> None:
        """Leave the range to other processes."""
        self._lock.release()
