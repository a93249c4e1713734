"""PostgreSQL for several tests at once in one process: a pooled connection for each, to a clone of its own.

It is `PostgresIsolation` as one test after the other uses it, with the same reset between them. Pooled connections are
made when tests wait for one, as many as the server allows, and closed when the demand is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.isolation import PostgresIsolation
from realservices.kinds.postgres.pool.adaptive_clones import AdaptiveClonePool
from realservices.kinds.postgres.pool.pooled_connection import PooledConnection
from realservices.optimization.limits import FairLimit, Permit
from realservices.optimization.monitor import current_test
from realservices.optimization.pool import Pool

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
        pooled: The pooled connections.

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
        self.pooled = Pool(self._new, PooledConnection.retire, strategy)
        self._clone_connections = 0

    def measures(self) -> dict[str, Any]:
        """Return what a report says of the service."""
        demand = self.clones.demand
        return {
            "connections_limit": self.limit.limit,
            "connections_held": len(self.limit.holders),
            "connections_peak": self.limit.peak,
            "connections_waiting": len(self.limit.waiting),
            "pooled": len(self.pooled.members),
            "databases_ready": self.clones.ready,
            "databases_taken": demand.takes,
            "databases_waited_for": demand.waits,
            "databases_waited_ms": demand.waited_s * 1000,
            "database_make_ms": demand.make_s * 1000,
        }

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
        await self.pooled.close_loop()
        for pooled in self.pooled.members:
            await pooled.close_loop()

    def close(self, *, drop: bool) -> None:
        """End the process's use of the service; ``drop``: remove every clone, because the server goes on."""
        self._background.run(self.close_loop(), _CLOSE_TIMEOUT_S)
        self.pooled.clear()
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
        self.limit.resize(self._strategy.connections(room, held=self._held, own=self.clones.administrative))

    @property
    def _held(self) -> int:
        """How many connections there are: those of tests, and those that wait for the next one."""
        return len(self.pooled.members) + self._clone_connections

    def _shrink(self, error: Exception) -> None:
        """Do with the connections that there are: others have taken the rest."""
        if self._held == 0:
            service = self.endpoint
            raise PoolExhaustedError(
                f"{current_test().test_id}: PostgreSQL service {service.name!r} ({service.label}) has no connection "
                f"left ({error}), and this process holds none that could become free. Close connections of programs "
                "under test, run fewer pytest-xdist workers, or set max_connections in the postgres_service's settings"
            ) from error
        self._asked_at = time.monotonic()
        self.limit.resize(self._held)

    @contextlib.asynccontextmanager
    async def _on_pooled(self, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        pooled = self.pooled.take()
        has_begun = False
        try:
            async with pooled.transaction(keep=keep) as connection:
                has_begun = True
                yield connection
        finally:
            if has_begun and self._strategy.settings.enable_resource_pooling:
                self.pooled.give_back(pooled)
            else:
                await self.pooled.retire(pooled)

    @contextlib.asynccontextmanager
    async def _to_clone(self, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        # Idle pooled connections hold connections, too.
        while self._held >= self.limit.limit and await self.pooled.retire_idle():
            continue
        async with super().connection_to_clone(keep=keep) as connection:
            self._clone_connections += 1
            try:
                yield connection
            finally:
                self._clone_connections -= 1

    def _new(self) -> PooledConnection:
        return PooledConnection(self.endpoint, self._background, self._ready_made, clones=self.clones)


def _is_full(error: Exception) -> bool:
    """Return whether the server had no connection left, for the test's connection or for making its clone."""
    return any(isinstance(each, asyncpg.TooManyConnectionsError) for each in (error, error.__cause__))
