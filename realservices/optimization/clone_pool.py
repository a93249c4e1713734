"""`ClonePool` whose number of clones ready ahead follows the demand, made over several connections."""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import TYPE_CHECKING

from realservices.isolation.administration import Administration
from realservices.isolation.clones import Clone, ClonePool
from realservices.isolation.errors import IsolationError
from realservices.optimization.demand import Demand
from realservices.optimization.strategy import ServerRoom

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.ready_databases import ReadyDatabases
    from realservices.optimization.strategy import AdaptiveStrategy

_ROOM = """
    SELECT current_setting('max_connections')::int,
        current_setting('superuser_reserved_connections')::int
            + coalesce(current_setting('reserved_connections', true)::int, 0),
        (SELECT count(*) FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND datname <> ALL ($1::text[]))::int,
        pg_database_size($2)
"""
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
        super().__init__(endpoint, background, ready, owner)
        makers = strategy.makers
        self.demand = Demand(strategy.settings.demand_window_s, makers)
        self._strategy = strategy
        self._idle_makers = [self._making, *(Administration(endpoint, owner) for _ in range(makers - 1))]
        self._makers = list(self._idle_makers)
        self._next_maker = self._making
        self._may_make = asyncio.Semaphore(makers)
        self._existing: set[Clone] = set()
        self._clone_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._trimming: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> int:
        """How many clones are ready, or being made ahead."""
        return len(self._ready)

    @property
    def administrative(self) -> int:
        """How many connections it uses itself."""
        return len(self._makers) + 1

    def make(self) -> Future[Clone]:
        """Return the future of a clone, one made ahead where there is one: lanes ask like everybody else."""
        return self.take()

    def room(self, own: Iterable[str]) -> Future[ServerRoom]:
        """Ask the server for its limits. Connections to the databases ``own`` are not others'."""
        return self._background.submit(self._room(list(own)))

    def trim(self) -> Future[None]:
        """Drop what is ready beyond what should be."""
        return self._background.submit(self._trim())

    async def _room(self, own: list[str]) -> ServerRoom:
        (row,) = await self._dropping.fetch(_ROOM, own, self._endpoint.template_database)
        connected = sum(each.is_connected for each in (*self._makers, self._dropping))
        self._clone_bytes = row[3]
        return ServerRoom(row[0], row[1], max(0, row[2] - connected), row[3])

    def _wanted(self) -> int:
        return max(super()._wanted(), self._strategy.ready_databases(self.demand, self._clone_bytes))

    def _maker(self) -> Administration:
        return self._next_maker

    async def _take(self) -> Clone:
        self.demand.take()
        begin = time.monotonic()
        clone = await super()._take()
        self.demand.waited(time.monotonic() - begin)
        self._trim_later()
        return clone

    async def _make(self) -> Clone:
        async with self._may_make:
            maker = self._next_maker = self._idle_makers.pop()
            begin, count = time.monotonic(), self._count
            try:
                clone = await super()._make()
            finally:
                self._idle_makers.append(maker)
        self._existing.add(clone)
        if clone.name.startswith(self._prefix) and self._count > count:
            self.demand.made(time.monotonic() - begin)
        return clone

    async def _drop(self, clone: Clone) -> None:
        await super()._drop(clone)
        self._existing.discard(clone)

    def _trim_later(self) -> None:
        """Look again when today's demand is forgotten; nothing polls where nothing is left to drop."""
        if self._timer is None and len(self._ready) > self._strategy.settings.min_ready_databases:
            delay_s = self._strategy.settings.demand_window_s + _TRIM_LATER_S
            self._timer = asyncio.get_running_loop().call_later(
                delay_s, self._start_trimming, context=contextvars.Context()
            )

    def _start_trimming(self) -> None:
        self._timer = None
        task = asyncio.ensure_future(self._trim())
        self._trimming.add(task)
        task.add_done_callback(self._trimming.discard)

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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await asyncio.gather(*self._trimming, *(self._ready if drop else ()), return_exceptions=True)
        self._ready.clear()
        # Also what a test had that was cancelled while it waited for it: nobody could give that back.
        for clone in list(self._existing) if drop else ():
            await self._drop(clone)
        await super()._close(drop)
        for maker in self._makers:
            await maker.close(finish=drop)
