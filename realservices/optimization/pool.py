"""What serves one test after the other: made when tests ask for it, retired when the demand is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from realservices.optimization.demand import RecentPeak
from realservices.optimization.later import Later

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from realservices.optimization.strategy import AdaptiveStrategy

Member = TypeVar("Member")


class Pool(Generic[Member]):
    """The members that one process has of one service. How many there may be is their limit's matter (limits.py).

    Args:
        make: Makes a member.
        retire: Ends one that no test has.
        strategy: Says how long the demand is remembered, and how few stay.
    """

    def __init__(
        self, make: Callable[[], Member], retire: Callable[[Member], Awaitable[None]], strategy: AdaptiveStrategy
    ) -> None:
        self._make = make
        self._end = retire
        self._settings = strategy.settings
        self._members: list[Member] = []
        self._idle: list[Member] = []  # Those that rested longest come first.
        self._peak = RecentPeak(self._settings.demand_window_s, strategy.clock)
        self._trimming = Later(self.trim, self._settings.demand_window_s)

    @property
    def members(self) -> list[Member]:
        """All there are, those of tests and those that are idle."""
        return list(self._members)

    def take(self) -> Member:
        """Return one that is idle, else a new one."""
        if self._idle:
            member = self._idle.pop()
        else:
            member = self._make()
            self._members.append(member)
        self._peak.note(len(self._members) - len(self._idle))
        return member

    def give_back(self, member: Member) -> None:
        """Leave a member to the next test."""
        self._idle.append(member)
        self._trimming.ask()

    def remove(self, member: Member) -> None:
        """Forget a member that its test has, and that is ended elsewhere."""
        self._members.remove(member)

    async def retire(self, member: Member) -> None:
        """End a member that its test has."""
        self.remove(member)
        await self._end(member)

    async def retire_idle(self) -> bool:
        """End the member that is idle for longest; return whether there was one."""
        if not self._idle:
            return False
        await self.retire(self._idle.pop(0))
        return True

    async def trim(self) -> None:
        """End idle members that the demand of late would not have used."""
        least = self._settings.min_ready_databases
        while len(self._members) > max(least, self._peak.value()) and await self.retire_idle():
            continue
        if self._idle and len(self._members) > least:
            self._trimming.ask()

    async def close_loop(self) -> None:
        """End what is done in the running loop, before that ends."""
        await self._trimming.end()

    def clear(self) -> None:
        """Forget all members: the service is closed."""
        self._members.clear()
        self._idle.clear()
