"""Connections that stay open from test to test, one for each event loop, and the databases that they lead to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.isolation.postgres.connection import IsolatedConnection
from realservices.isolation.postgres.resettable_connection import POOL_OF_ONE, already_reset

if TYPE_CHECKING:
    from realservices.isolation.postgres.clones import Clone

# For each loop: one to the database of transactions, and one to another.
_KEPT = 2


@dataclass(frozen=True, slots=True, eq=False)
class PooledConnection:
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
    connection: IsolatedConnection
    pid: int
    loop: asyncio.AbstractEventLoop


class KeptConnections:
    """Those of one process to one service."""

    def __init__(self) -> None:
        self._used: list[PooledConnection] = []
        self._idle: list[PooledConnection] = []  # The one that was used last comes last.

    def pids(self, clone: Clone) -> list[int]:
        """Return the process ids of those backends in a database that no test uses."""
        return [idle.pid for idle in list(self._idle) if idle.clone == clone]

    async def take(self, clone: Clone) -> PooledConnection | None:
        """Return the running loop's connection to a database, if there is one and it was not lost since."""
        loop = asyncio.get_running_loop()
        found = next((idle for idle in self._idle if idle.loop is loop and idle.clone == clone), None)
        if found is None:
            return None
        self._idle.remove(found)
        for _ in range(2):
            await asyncio.sleep(0)  # What the server has closed meanwhile is told by the loop.
        if found.connection.is_closed():
            found.pool.terminate()
            return None
        return await self._acquire(clone, found.pool)

    async def connect(self, clone: Clone) -> PooledConnection:
        """Return a new connection."""
        pool = await asyncpg.create_pool(
            **clone.connect_kwargs,
            connection_class=IsolatedConnection,
            server_settings={"plan_cache_mode": "force_custom_plan"},
            **POOL_OF_ONE,
            reset=already_reset,
        )
        return await self._acquire(clone, pool)

    async def release(self, pooled: PooledConnection) -> None:
        """Keep a connection, whose test is over, for the loop's next one."""
        await pooled.pool.release(pooled.proxy)
        self._used.remove(pooled)
        self._idle.append(pooled)
        mine = [idle for idle in self._idle if idle.loop is pooled.loop]
        self._close(mine[:-_KEPT])

    def discard(self, pooled: PooledConnection) -> None:
        """Close a connection, whatever state it is in."""
        pooled.pool.terminate()
        if pooled in self._used:
            self._used.remove(pooled)

    def close_loop(self) -> None:
        """Close those of the running loop, before it ends. Somebody may have one, and never release it."""
        loop = asyncio.get_running_loop()
        self._close([pooled for pooled in (*self._used, *self._idle) if pooled.loop is loop])

    def abandon(self) -> None:
        """Close all, those of other loops as soon as these run."""
        while self._idle:
            idle = self._idle.pop()
            if not idle.loop.is_closed():
                idle.loop.call_soon_threadsafe(idle.pool.terminate)

    async def _acquire(self, clone: Clone, pool: asyncpg.Pool) -> PooledConnection:
        try:
            proxy: Any = await pool.acquire()
        except BaseException:
            pool.terminate()
            raise
        pooled = PooledConnection(clone, pool, proxy, proxy._con, proxy.get_server_pid(), asyncio.get_running_loop())
        self._used.append(pooled)
        return pooled

    def _close(self, some: list[PooledConnection]) -> None:
        for pooled in some:
            (self._idle if pooled in self._idle else self._used).remove(pooled)
            pooled.pool.terminate()
