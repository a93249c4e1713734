"""PostgreSQL for several tests at once in one process: a pooled connection for each, to a clone of its own.

It is `PostgresIsolation` as one test after the other uses it, with the same reset between them. Pooled connections are
made when tests wait for one, as many as the server allows, and closed when the demand is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.isolation import PostgresIsolation
from realservices.kinds.postgres.pool.clones import AdaptiveClonePool
from realservices.kinds.postgres.pool.pooled_connection import PooledConnection
from realservices.optimization.demand import RecentPeak
from realservices.optimization.limits import FairLimit, Permit
from realservices.optimization.monitor import current_test

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from concurrent.futures import Future
    from contextlib import AbstractAsyncContextManager

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.ready_databases import ReadyDatabases
    from realservices.kinds.postgres.isolation.session_databases import SessionDatabases
    from realservices.optimization.strategy import AdaptiveStrategy, ServerRoom

_CLOSE_TIMEOUT_S = 60.0
# How often a server that is full is asked whether others have left it.
_ASK_AGAIN_S = 1.0
_UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class PoolExhaustedError(IsolationError):
    """The server has no connection left for a test."""


class PostgresPool(PostgresIsolation):
    """What one process uses of one PostgreSQL service, many tests at once.

    Attributes:
        limit: How many connections tests may have.
        clones: Where pooled connections and cloned databases come from.

    Args:
        endpoint: The service.
        background: For clones and blocking connections.
        ready: Clones that are there already.
        strategy: Says how much of everything there may be.
        others: What the session has on an external server.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        background: BackgroundLoop,
        ready: ReadyDatabases,
        strategy: AdaptiveStrategy,
        others: SessionDatabases | None = None,
    ) -> None:
        self.clones = AdaptiveClonePool(endpoint, background, ready, strategy, others.owner if others else "")
        super().__init__(endpoint, background, ready, clones=self.clones, others=others)
        self._ready_made = ready
        self._strategy = strategy
        self.limit = FairLimit(
            f"the connections of PostgreSQL service {endpoint.name!r} ({endpoint.label})",
            strategy.settings.pool_max_connections,
            timeout_s=strategy.settings.acquire_timeout_s,
            remedy="Raise pool_max_connections, or max_connections in the settings of the postgres_service; or lower "
            "max_concurrent_tests",
        )
        self._asked_at: float | None = None
        self._asking: Future[ServerRoom] | None = None
        self._pooled: set[PooledConnection] = set()
        self._idle: list[PooledConnection] = []
        self._clone_connections = 0
        self._peak = RecentPeak(strategy.settings.demand_window_s, strategy.clock)
        self._timers: dict[asyncio.AbstractEventLoop, asyncio.TimerHandle] = {}
        self._trimming: set[asyncio.Task[None]] = set()

    def measures(self) -> dict[str, Any]:
        """Return what a report says of the service."""
        demand = self.clones.demand
        return {
            "connections_limit": self.limit.limit,
            "connections_held": len(self.limit.holders),
            "connections_peak": self.limit.peak,
            "connections_waiting": len(self.limit.waiting),
            "pooled": self.size,
            "databases_ready": self.clones.ready,
            "databases_taken": demand.takes,
            "databases_waited_for": demand.waits,
            "databases_waited_ms": demand.waited_s * 1000,
            "database_make_ms": demand.make_s * 1000,
        }

    @property
    def size(self) -> int:
        """How many pooled connections there are."""
        return len(self._pooled)

    def expect(self, *, transactions: bool, databases: int) -> None:
        """Prepare for tests to come."""
        if databases or transactions:
            self.clones.expect(databases + transactions)

    @contextlib.asynccontextmanager
    async def transaction(self, *, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection within a transaction that is rolled back, on a pooled connection of the test's own."""
        async with self._within_limit(lambda: self._on_pooled(keep)) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def connection_to_clone(self, *, keep: bool = False) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection to a database of its own: COMMIT is allowed."""
        async with self._within_limit(lambda: self._to_clone(keep)) as connection:
            yield connection

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends."""
        timer = self._timers.pop(asyncio.get_running_loop(), None)
        if timer is not None:
            timer.cancel()
        mine = [task for task in self._trimming if task.get_loop() is asyncio.get_running_loop()]
        await asyncio.gather(*mine)
        for pooled in list(self._pooled):
            await pooled.close_loop()

    def close(self, *, drop: bool) -> None:
        """End the process's use of the service; ``drop``: remove every clone, because the server goes on."""
        self._background.run(self.close_loop(), _CLOSE_TIMEOUT_S)
        self._pooled.clear()
        self._idle.clear()
        self.clones.close(drop=drop, timeout_s=_CLOSE_TIMEOUT_S)
        if self._others:
            self._others.close()

    @contextlib.asynccontextmanager
    async def _within_limit(
        self, make: Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]
    ) -> AsyncIterator[asyncpg.Connection]:
        permit = await self._acquire(first=False)
        try:
            while True:
                context = make()
                try:
                    connection = await context.__aenter__()
                    break
                except (asyncpg.TooManyConnectionsError, IsolationError) as error:
                    if not _is_full(error):
                        raise
                    self._shrink(error)
                    permit.release()
                    permit = await self._acquire(first=True)
            try:
                yield connection
            finally:
                await context.__aexit__(None, None, None)
        finally:
            permit.release()

    async def _acquire(self, *, first: bool) -> Permit:
        test = current_test()
        if self._asked_at is None or self._should_ask():
            await self._ask_server()
        permit = await self.limit.acquire(test.test_id, first=first)
        test.wait_s += permit.waited_s
        self._peak.note(len(self.limit.holders))
        return permit

    def _should_ask(self) -> bool:
        stale = self._asked_at is None or time.monotonic() - self._asked_at > _ASK_AGAIN_S
        return stale and len(self.limit.holders) >= self.limit.limit

    async def _ask_server(self) -> None:
        """Fit the limit to what the server has for us now. Who comes meanwhile waits for the same answer."""
        if self._asking is None:
            self._asking = self.clones.room()
        try:
            room = await asyncio.shield(asyncio.wrap_future(self._asking))
        except _UNREACHABLE:
            return  # The statement that follows says it better.
        finally:
            self._asking = None
        self._asked_at = time.monotonic()
        held = len(self._pooled) + self._clone_connections
        self.limit.resize(self._strategy.connections(room, held=held, own=self.clones.administrative))

    def _shrink(self, error: Exception) -> None:
        """Do with the connections that there are: others have taken the rest."""
        others = len(self._pooled) + self._clone_connections
        if others == 0:
            service = self.endpoint
            raise PoolExhaustedError(
                f"{current_test().test_id}: PostgreSQL service {service.name!r} ({service.label}) has no connection "
                f"left ({error}), and this process holds none that could become free. Close connections of programs "
                "under test, run fewer pytest-xdist workers, or set max_connections in the postgres_service's settings"
            ) from error
        self._asked_at = time.monotonic()
        self.limit.resize(others)

    @contextlib.asynccontextmanager
    async def _on_pooled(self, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        pooled = self._idle.pop() if self._idle else self._new()
        has_begun = False
        try:
            async with pooled.transaction(keep=keep) as connection:
                has_begun = True
                yield connection
        finally:
            if has_begun and self._strategy.settings.enable_resource_pooling:
                self._idle.append(pooled)
                self._trim_later()
            else:
                await self._retire(pooled)

    @contextlib.asynccontextmanager
    async def _to_clone(self, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        # Idle pooled connections hold connections, too.
        while self._idle and len(self._pooled) + self._clone_connections >= self.limit.limit:
            await self._retire(self._idle.pop(0))
        async with super().connection_to_clone(keep=keep) as connection:
            self._clone_connections += 1
            try:
                yield connection
            finally:
                self._clone_connections -= 1

    def _new(self) -> PooledConnection:
        pooled = PooledConnection(self.endpoint, self._background, self._ready_made, clones=self.clones)
        self._pooled.add(pooled)
        return pooled

    async def _retire(self, pooled: PooledConnection) -> None:
        self._pooled.discard(pooled)
        await pooled.retire()

    def _trim_later(self) -> None:
        """Look again when today's demand is forgotten, outside of any test's context: its tasks end with it."""
        loop = asyncio.get_running_loop()
        if loop not in self._timers:
            delay_s = self._strategy.settings.demand_window_s
            self._timers[loop] = loop.call_later(delay_s, self._start_trimming, loop, context=contextvars.Context())

    def _start_trimming(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timers.pop(loop, None)
        task: asyncio.Task[None] = loop.create_task(self.trim())
        self._trimming.add(task)
        task.add_done_callback(self._trimming.discard)

    async def trim(self) -> None:
        """Close idle pooled connections that the demand of late would not have used."""
        least = min(self._strategy.settings.min_ready_databases, len(self._pooled))
        while self._idle and len(self._pooled) > max(least, self._peak.value()):
            await self._retire(self._idle.pop(0))
        if self._idle and len(self._pooled) > least:
            self._trim_later()


def _is_full(error: Exception) -> bool:
    """Return whether the server had no connection left, for the test's connection or for making its clone."""
    return any(isinstance(each, asyncpg.TooManyConnectionsError) for each in (error, error.__cause__))
