"""Connections of asyncpg that stay open from test to test, for each event loop, and the databases that they lead to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import asyncpg

from realservices.kinds.postgres.isolation.own_proxy import own, pools

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from realservices.kinds.postgres.isolation.clone import Clone

C = TypeVar("C", bound=asyncpg.Connection)
# A pool whose use is that its proxies end with their test.
_POOL_OF_ONE: dict[str, Any] = {
    "min_size": 0,
    "max_size": 1,
    "max_queries": 1_000_000_000,
    "max_inactive_connection_lifetime": 0,
}


async def _already_reset(connection: object) -> None:
    """Leave to a pool nothing to reset."""


# asyncpg 0.29 resets once more.
_RESET: dict[str, Any] = {"reset": _already_reset} if "reset" in (asyncpg.create_pool.__kwdefaults__ or ()) else {}


@dataclass(frozen=True, slots=True, eq=False)
class PooledConnection(Generic[C]):
    """A connection in a pool of its own, whose use is that proxies end with their test.

    Code that keeps one beyond it gets an error instead of the next test's connection.

    Attributes:
        clone: The database.
        pool: The pool.
        proxy: What code under test gets.
        connection: The connection itself.
        pid: The process id of its backend.
        loop: Where it lives.
    """

    clone: Clone
    pool: asyncpg.Pool
    proxy: Any
    connection: C
    pid: int
    loop: asyncio.AbstractEventLoop


class KeptConnections(Generic[C]):
    """Those of one process to one service.

    Args:
        kind: Their class.
        most: How many wait in each loop for its next test.
        settings: Those of each session.
    """

    def __init__(self, kind: type[C], most: int, settings: dict[str, str] | None = None) -> None:
        self._kind = kind
        self._most = most
        self._settings = settings
        self._used: list[PooledConnection[C]] = []
        self._idle: list[PooledConnection[C]] = []  # The one that was used last comes last.

    def pids(self, clone: Clone) -> list[int]:
        """Return the process ids of those backends in a database that no test uses."""
        return [idle.pid for idle in list(self._idle) if idle.clone == clone]

    async def take(self, clone: Clone) -> PooledConnection[C] | None:
        """Return the running loop's connection to a database, if there is one and it was not lost since."""
        loop = asyncio.get_running_loop()
        found = next((idle for idle in self._idle if idle.loop is loop and idle.clone == clone), None)
        if found is None:
            self._make_room(1)
            return None
        self._idle.remove(found)
        for _ in range(2):
            await asyncio.sleep(0)  # The loop reports what the server has closed meanwhile.
        if found.connection.is_closed():
            found.pool.terminate()
            return None
        return await self._acquire(clone, found.pool)

    async def connect(
        self, clone: Clone, prepare: Callable[[Any], Coroutine[Any, Any, None]] | None = None
    ) -> PooledConnection[C]:
        """Return a new connection.

        Args:
            clone: The database.
            prepare: Awaited with the connection before anybody has it.
        """
        pool = await asyncpg.create_pool(
            **clone.connect_kwargs,
            connection_class=self._kind,
            server_settings=self._settings,
            **_POOL_OF_ONE,
            init=prepare,
            **_RESET,
        )
        return await self._acquire(clone, pool)

    async def release(self, pooled: PooledConnection[C]) -> None:
        """Keep a connection, whose test is over and whose session was reset, for the loop's next one."""
        pools(pooled.proxy)
        try:
            await pooled.pool.release(pooled.proxy)
        finally:
            own(pooled.proxy)
        self._used.remove(pooled)
        self._idle.append(pooled)
        self._make_room(0)

    def discard(self, pooled: PooledConnection[C]) -> None:
        """Close a connection, whatever state it is in."""
        pooled.pool.terminate()
        if pooled in self._used:
            self._used.remove(pooled)

    def close_loop(self) -> None:
        """Close those of the running loop, before it ends. Somebody may have one, and never release it."""
        loop = asyncio.get_running_loop()
        self._close([pooled for pooled in (*self._used, *self._idle) if pooled.loop is loop])

    def abandon(self) -> None:
        """Close all that no test uses, those of other loops as soon as these run."""
        while self._idle:
            idle = self._idle.pop()
            if not idle.loop.is_closed():
                idle.loop.call_soon_threadsafe(idle.pool.terminate)

    async def _acquire(self, clone: Clone, pool: asyncpg.Pool) -> PooledConnection[C]:
        try:
            proxy: Any = await pool.acquire()
        except BaseException:
            pool.terminate()
            raise
        own(proxy)
        pooled = PooledConnection(clone, pool, proxy, proxy._con, proxy.get_server_pid(), asyncio.get_running_loop())
        self._used.append(pooled)
        return pooled

    def _make_room(self, count: int) -> None:
        """Close those of the running loop that have waited longest, so that there is room for others."""
        loop = asyncio.get_running_loop()
        mine = [idle for idle in self._idle if idle.loop is loop]
        self._close(mine[: max(0, len(mine) + count - self._most)])

    def _close(self, some: list[PooledConnection[C]]) -> None:
        for pooled in some:
            (self._idle if pooled in self._idle else self._used).remove(pooled)
            pooled.pool.terminate()
