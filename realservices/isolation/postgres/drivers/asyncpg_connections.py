"""Connections of asyncpg to a test's database that has other clients, too. One is kept for the next test."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.isolation.postgres.drivers import session_state
from realservices.isolation.postgres.resettable_connection import POOL_OF_ONE, ResettableConnection, already_reset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realservices.isolation.postgres.clones import Clone

_RESET_TIMEOUT_S = 10.0


class KeptConnection(ResettableConnection):
    """Commits as any other connection. Between two tests its session is reset.

    Attributes:
        is_set_up: It has what an engine sets up for each of its connections.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_set_up = False
        self._settings_size = ""

    async def remember(self) -> None:
        """Remember what a new session is like."""
        with contextlib.suppress(asyncpg.PostgresError):
            await self.raw.query(session_state.PREPARE, None)
        self._settings_size = str(await self.fetchval(session_state.SETTINGS_SIZE))
        await self.discard_all()

    async def renew(self) -> bool:
        """Reset the session; return whether the connection is as good as a new one. Where it is not, it is closed."""
        if self.is_closed() or self.has_codecs:
            self.terminate()
            return False
        self.forget_callbacks()
        if self.is_in_transaction():
            await self.raw.query("ROLLBACK", None)
        await self.discard_all()
        check = session_state.HAS_SETTINGS_SIZE.format(self._settings_size)
        if await self.raw.query(check, None) != "SELECT 1":
            self.terminate()
            return False
        return True


class KeptConnections:
    """The connection of the latest test of each loop, if no other one has it meanwhile."""

    def __init__(self) -> None:
        self._idle: dict[asyncio.AbstractEventLoop, tuple[Clone, asyncpg.Pool, int]] = {}

    @contextlib.asynccontextmanager
    async def connection(self, clone: Clone, *, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection to a clone, the one of the test before where it is still there.

        Args:
            clone: The test's database.
            keep: It is worth keeping: loop and database serve later tests, too.
        """
        pool = await self._pool(clone, keep=keep)
        stays, pid = False, 0
        try:
            proxy: Any = await pool.acquire()
            try:
                yield proxy
            finally:
                stays = keep and await _renew(proxy._con)
                if stays:
                    pid = proxy._con.get_server_pid()
                    await pool.release(proxy)
        finally:
            if stays:
                self._discard()
                self._idle[asyncio.get_running_loop()] = clone, pool, pid
            else:
                pool.terminate()

    def pids(self, clone: Clone) -> list[int]:
        """Return the backends that are connected to a database for a later test."""
        return [pid for its_clone, _, pid in list(self._idle.values()) if its_clone == clone]

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends."""
        self._discard()

    def abandon(self) -> None:
        """Close those of loops that do not end yet, when these run the next time."""
        for loop, (_, pool, _) in list(self._idle.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(pool.terminate)
        self._idle.clear()

    def _discard(self) -> None:
        _, pool, _ = self._idle.pop(asyncio.get_running_loop(), (None, None, 0))
        if pool is not None:
            pool.terminate()

    async def _pool(self, clone: Clone, *, keep: bool) -> asyncpg.Pool:
        last, pool, _ = self._idle.pop(asyncio.get_running_loop(), (None, None, 0))
        if pool is not None and last == clone:
            return pool
        if pool is not None:
            pool.terminate()
        return await asyncpg.create_pool(
            **clone.connect_kwargs,
            connection_class=KeptConnection,
            **POOL_OF_ONE,
            init=_prepare if keep else None,
            reset=already_reset,
        )


async def _prepare(connection: Any) -> None:
    await getattr(connection, "_con", connection).remember()  # Whether it is a proxy depends on asyncpg's version.


async def _renew(connection: KeptConnection | None) -> bool:
    if connection is None:  # The test has closed it.
        return False
    try:
        async with asyncio.timeout(_RESET_TIMEOUT_S):
            return await connection.renew()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False  # Lost, or still in use: whoever uses it is cut off, and the backend is ended.
