"""How much is asked for, and how many would have had to be ready so that nobody had waited.

The measure is a leaky bucket: each take adds one, and what is made meanwhile lets one out per `make_s`. The highest
level within the window is the smallest number ready ahead that would have served every take at once, bursts included.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# The newest value counts for a quarter: one slow CREATE DATABASE among many must not double what is kept ready.
_WEIGHT = 0.25
# Before the first one has been made.
_USUAL_MAKE_S = 0.01


class RecentPeak:
    """The largest of the values that were noted within the last so many seconds.

    Args:
        window_s: How long a value counts.
        clock: Monotonic seconds.
    """

    def __init__(self, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._clock = clock
        # Those that no later one exceeds, with their times, so that the first one is the peak.
        self._values: deque[tuple[float, float]] = deque()

    def note(self, value: float) -> None:
        """Take a value into account."""
        while self._values and self._values[-1][1] <= value:
            self._values.pop()
        self._values.append((self._clock(), value))

    def value(self) -> float:
        """Return the peak, 0 where nothing was noted."""
        oldest = self._clock() - self._window_s
        while self._values and self._values[0][0] < oldest:
            self._values.popleft()
        return self._values[0][1] if self._values else 0.0


class Demand:
    """What is measured of the takes from one pool.

    Attributes:
        takes: How many there were.
        waits: How many of them had to wait.
        waited_s: How long these waited, all together.
        make_s: How long one takes to be made, on average.

    Args:
        window_s: How long a take is remembered.
        makers: How many are made at the same time.
        clock: Monotonic seconds.
    """

    def __init__(self, window_s: float, makers: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self.takes = self.waits = 0
        self.waited_s = 0.0
        self.make_s = _USUAL_MAKE_S
        self._is_measured = False
        self._makers = makers
        self._clock = clock
        self._level = 0.0
        self._last = clock()
        self._levels = RecentPeak(window_s, clock)
        self._recent_waits = RecentPeak(window_s, clock)

    def take(self) -> None:
        """Count that one is taken now."""
        now = self._clock()
        self.takes += 1
        drained = (now - self._last) * self._makers / self.make_s
        self._level = max(0.0, self._level - drained) + 1
        self._last = now
        self._levels.note(self._level)

    def waited(self, seconds: float) -> None:
        """Count that the take had to wait, and how long."""
        self.waits += 1
        self.waited_s += seconds
        self._recent_waits.note(1)

    def made(self, seconds: float) -> None:
        """Count how long one took to be made."""
        self.make_s += (_WEIGHT if self._is_measured else 1.0) * (seconds - self.make_s)
        self._is_measured = True

    def needed(self) -> int:
        """Return how many should be ready now, by what was asked for within the window.

        One more than the bucket says where somebody waited all the same: then making takes longer than it seems.
        """
        # Sums of fractions are a little off, which must not count as one more.
        return math.ceil(self._levels.value() - 1e-9) + int(self._recent_waits.value())
