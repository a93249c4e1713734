"""`ClonePool` whose number of clones ready ahead follows the demand, made over several connections."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import asyncpg

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.clone_pool import ClonePool
from realservices.optimization.demand import Demand
from realservices.optimization.later import Later
from realservices.optimization.strategy import ServerRoom

if TYPE_CHECKING:
    from concurrent.futures import Future

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.ready_databases import ReadyDatabases
    from realservices.kinds.postgres.isolation.clone import Clone
    from realservices.optimization.strategy import AdaptiveStrategy

# A database of ours accounts for one connection; what programs under test open beyond that is others' to us.
_ROOM = """
    SELECT current_setting('max_connections')::int,
        current_setting('superuser_reserved_connections')::int
            + coalesce(current_setting('reserved_connections', true)::int, 0),
        (SELECT count(*) - count(DISTINCT datname) FILTER (WHERE starts_with(datname, $1) OR datname = ANY ($2::text[]))
            FROM pg_stat_activity WHERE backend_type = 'client backend')::int,
        pg_database_size($3)
"""
_SIZE = "SELECT pg_database_size($1)"
# What PostgreSQL's own catalogs take: no clone is smaller, and none has been measured yet.
_SMALLEST_CLONE_BYTES = 7_500_000
# Just after the demand has left the window.
_TRIM_LATER_S = 0.01


class AdaptiveClonePool(ClonePool):
    """Makes and drops clones for one process.

    Attributes:
        demand: What is measured of the takes.

    Args:
        endpoint: The service.
        background: Where the work is done.
        ready: Clones that are there already, used first.
        strategy: Says how many to keep ready.
        owner: What begins their names, see `ClonePool`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        background: BackgroundLoop,
        ready: ReadyDatabases,
        strategy: AdaptiveStrategy,
        owner: str = "",
    ) -> None:
        # Connections are what many tests at once have least of.
        makers = strategy.makers
        super().__init__(endpoint, background, ready, owner, restores=False, makers=makers)
        self.demand = Demand(strategy.settings.demand_window_s, makers, strategy.clock)
        self._maker.on_made = self.demand.made
        self._strategy = strategy
        self._template = endpoint.template_database
        self._existing: dict[str, Clone] = {}
        self._clone_bytes = _SMALLEST_CLONE_BYTES
        self._is_measured = False
        self._trimming = Later(self._trim, strategy.settings.demand_window_s + _TRIM_LATER_S)

    @property
    def ready(self) -> int:
        """How many clones are ready, or being made ahead."""
        return len(self._ready)

    @property
    def administrative(self) -> int:
        """How many connections it uses itself."""
        return len(self._maker.connections) + 2  # One that drops, and one that opens and closes.

    def room(self) -> Future[ServerRoom]:
        """Ask the server for its limits, and how many connections others have."""
        return self._background.submit(self._room())

    def trim(self) -> Future[None]:
        """Drop what is ready beyond what should be."""
        return self._background.submit(self._trim())

    async def _room(self) -> ServerRoom:
        arguments = self._maker.prefix, list(self._existing), self._template
        (row,) = await self.administration.fetch(_ROOM, *arguments)
        connected = sum(each.is_connected for each in (*self._maker.connections, self.administration, self._guarding))
        self._clone_bytes, self._is_measured = row[3], True
        return ServerRoom(row[0], row[1], max(0, row[2] - connected), row[3])

    def _wanted(self) -> int:
        used = len(self._existing) - sum(ahead.done() for ahead in self._ready)
        return max(super()._wanted(), self._strategy.ready_databases(self.demand, self._clone_bytes, used=used))

    def _lacks_one(self) -> bool:
        return len(self._ready) < self._wanted()

    async def _take(self) -> Clone:
        self.demand.take()
        was_ready = bool(self._ready) and self._ready[0].done()
        begin = time.monotonic()
        clone = await super()._take()
        if not was_ready:  # What one that was ready took is the machine's delay, which more of them would not mend.
            self.demand.waited(time.monotonic() - begin)
        self._trim_later()
        return clone

    async def _make(self) -> Clone:
        clone = await super()._make()
        self._existing[clone.name] = clone
        await self._measure(clone)
        return clone

    async def _measure(self, clone: Clone) -> None:
        """Learn how large clones are, once."""
        if not self._is_measured:
            self._is_measured = True
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                ((self._clone_bytes,),) = await self.administration.fetch(_SIZE, clone.name)

    async def _drop(self, clone: Clone) -> None:
        await super()._drop(clone)
        self._existing.pop(clone.name, None)

    def _trim_later(self) -> None:
        """Look again when today's demand is forgotten."""
        if len(self._ready) > self._strategy.settings.min_ready_databases:
            self._trimming.ask()

    async def _trim(self) -> None:
        wanted = self._wanted()
        while len(self._ready) > wanted:
            surplus = self._ready.pop()
            try:
                await self._drop(await surplus)
            except IsolationError:
                continue  # Made ahead while the server was down: nothing to drop.
        self._trim_later()

    async def _close(self, drop: bool) -> None:
        await self._trimming.end()
        await asyncio.gather(*(self._ready if drop else ()), return_exceptions=True)
        self._ready.clear()
        # Also what a test had that was cancelled while it waited for it: nobody could give that back.
        for clone in list(self._existing.values()) if drop else ():
            await self._drop(clone)
        await super()._close(drop)
