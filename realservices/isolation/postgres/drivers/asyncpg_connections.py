"""Connections of asyncpg to a test's database that has other clients, too. One is kept for the next test."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.isolation.postgres.drivers import session_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from realservices.isolation.postgres.clones import Clone

POOL_OF_ONE: dict[str, Any] = {
    "min_size": 0,
    "max_size": 1,
    "max_queries": 1_000_000_000,
    "max_inactive_connection_lifetime": 0,
}
"""Arguments for `asyncpg.create_pool` of a pool whose use is that its proxies end with their test."""
_RESET_TIMEOUT_S = 10.0


class KeptConnection(asyncpg.Connection):
    """Commits as any other connection. Between two tests its session is reset.

    Attributes:
        has_codecs: Code of a test has set some.
        is_set_up: It has what an engine sets up for each of its connections.
    """

    # asyncpg's own, which its type stubs leave out.
    _protocol: Any
    _listeners: dict[str, Any]
    _log_listeners: set[Any]
    _query_loggers: set[Any]
    _termination_listeners: set[Any]
    _mark_stmts_as_closed: Callable[[], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_codecs = self.is_set_up = False
        self._settings_size = ""

    async def set_type_codec(self, *args: Any, **kwargs: Any) -> None:
        """Set a codec. It is the client's and outlives every reset, so the connection is not kept."""
        self.has_codecs = True
        await super().set_type_codec(*args, **kwargs)

    async def set_builtin_type_codec(self, *args: Any, **kwargs: Any) -> None:
        """Set a codec; see `set_type_codec`."""
        self.has_codecs = True
        await super().set_builtin_type_codec(*args, **kwargs)

    async def remember(self) -> None:
        """Remember what a new session is like."""
        with contextlib.suppress(asyncpg.PostgresError):
            await self._protocol.query(session_state.PREPARE, None)
        self._settings_size = str(await self.fetchval(session_state.SETTINGS_SIZE))
        await self._discard_all()

    async def renew(self) -> bool:
        """Reset the session; return whether the connection is as good as a new one. Where it is not, it is closed."""
        if self.is_closed() or self.has_codecs:
            self.terminate()
            return False
        for callbacks in (self._listeners, self._log_listeners, self._query_loggers, self._termination_listeners):
            callbacks.clear()
        if self.is_in_transaction():
            await self._protocol.query("ROLLBACK", None)
        await self._discard_all()
        check = session_state.HAS_SETTINGS_SIZE.format(self._settings_size)
        if await self._protocol.query(check, None) != "SELECT 1":
            self.terminate()
            return False
        return True

    async def _discard_all(self) -> None:
        await self._protocol.query(session_state.RESET, None)
        self._mark_stmts_as_closed()  # They are dropped; asyncpg must not use or close them again.


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
            reset=_already_reset,
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


async def _already_reset(connection: object) -> None:
    """`KeptConnection.renew` has reset the session."""
