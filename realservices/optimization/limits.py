"""How many may do something at once. Further ones wait in order, and a wait that is too long says who is in the way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, deque
from concurrent.futures import Future

from realservices.isolation.errors import IsolationError

_MOST_NAMES = 10


class PoolTimeoutError(IsolationError, TimeoutError):
    """A test has waited too long for its turn."""


class Permit:
    """The right to be one of those, until it is released.

    Attributes:
        holder: The test that has it, for messages.
        waited_s: How long it has waited.
    """

    def __init__(self, limit: FairLimit, holder: str) -> None:
        self.holder = holder
        self.waited_s = 0.0
        self._limit = limit

    def release(self) -> None:
        """Give it to who waits longest. A second time does nothing."""
        self._limit.release(self)


class FairLimit:
    """Gives permits, from any thread and any event loop, in the order in which they were asked for.

    Args:
        name: What is limited, for messages.
        limit: How many permits there are.
        timeout_s: How long to wait for one.
        remedy: What to do when that was not enough.
    """

    def __init__(self, name: str, limit: int, *, timeout_s: float, remedy: str) -> None:
        self._name = name
        self._limit = limit
        self._timeout_s = timeout_s
        self._remedy = remedy
        self._held: dict[Permit, None] = {}
        self._waiting: deque[tuple[Permit, Future[None]]] = deque()
        self._lock = threading.Lock()
        self.peak = 0  # Most permits that were held at once.

    @property
    def limit(self) -> int:
        """How many permits there are."""
        return self._limit

    @property
    def holders(self) -> list[str]:
        """Who has one now, the first first."""
        with self._lock:
            return [permit.holder for permit in self._held]

    @property
    def waiting(self) -> list[str]:
        """Who waits now, the next first."""
        with self._lock:
            return [permit.holder for permit, _ in self._waiting]

    def resize(self, limit: int) -> None:
        """Change how many there are. Those that are held stay; of more, who waits gets some at once."""
        with self._lock:
            self._limit = limit
            self._grant()

    def acquire_now(self, holder: str) -> Permit | None:
        """Return a permit, or None where one would have to wait for it."""
        permit = Permit(self, holder)
        with self._lock:
            if self._waiting or len(self._held) >= self._limit:
                return None
            self._hold(permit)
            return permit

    async def acquire(self, holder: str, *, first: bool = False) -> Permit:
        """Wait for a permit.

        Args:
            holder: Who asks, for messages.
            first: Go before all who wait: this one has waited before.

        Raises:
            PoolTimeoutError: It took too long.
        """
        permit, turn = Permit(self, holder), Future[None]()
        with self._lock:
            (self._waiting.appendleft if first else self._waiting.append)((permit, turn))
            self._grant()
            if permit in self._held:
                return permit
        begin = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                await asyncio.wrap_future(turn)
        except TimeoutError:
            if not self._withdraw(permit):
                raise self._too_long(permit) from None
        except asyncio.CancelledError:
            if self._withdraw(permit):
                permit.release()
            raise
        permit.waited_s = time.monotonic() - begin
        return permit

    def release(self, permit: Permit) -> None:
        """Take a permit back."""
        with self._lock:
            if self._held.pop(permit, self) is None:
                self._grant()

    def _grant(self) -> None:
        while self._waiting and len(self._held) < self._limit:
            permit, turn = self._waiting.popleft()
            self._hold(permit)
            if turn.set_running_or_notify_cancel():  # Else it is about to withdraw, and releases the permit then.
                turn.set_result(None)

    def _hold(self, permit: Permit) -> None:
        self._held[permit] = None
        self.peak = max(self.peak, len(self._held))

    def _withdraw(self, permit: Permit) -> bool:
        """Stop waiting; return whether the permit had been given meanwhile."""
        with self._lock:
            if permit in self._held:
                return True
            self._waiting = deque(entry for entry in self._waiting if entry[0] is not permit)
            return False

    def _too_long(self, permit: Permit) -> PoolTimeoutError:
        names = [name if count == 1 else f"{name} ({count} times)" for name, count in Counter(self.holders).items()]
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        return PoolTimeoutError(
            f"{permit.holder} has waited {self._timeout_s:g} s for one of {self._name} = {self._limit}; they are held "
            f"by {', '.join(names[:_MOST_NAMES]) or 'nobody'}{more}. {self._remedy}"
        )
