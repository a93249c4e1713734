"""An asyncpg connection to a restored database, kept for the next test because connecting costs more than restoring."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg

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
    """Commits as any other connection. Between two tests its session is reset."""

    # asyncpg's own, which its type stubs leave out.
    _protocol: Any
    _listeners: dict[str, Any]
    _log_listeners: set[Any]
    _query_loggers: set[Any]
    _termination_listeners: set[Any]
    _mark_stmts_as_closed: Callable[[], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_codecs = False

    async def set_type_codec(self, *args: Any, **kwargs: Any) -> None:
        """Set a codec. It is the client's and outlives every reset, so the connection is not kept."""
        self._has_codecs = True
        await super().set_type_codec(*args, **kwargs)

    async def set_builtin_type_codec(self, *args: Any, **kwargs: Any) -> None:
        """Set a codec; see `set_type_codec`."""
        self._has_codecs = True
        await super().set_builtin_type_codec(*args, **kwargs)

    async def renew(self) -> bool:
        """Reset the session; return whether the connection is as good as a new one. Where it is not, it is closed."""
        if self.is_closed() or self._has_codecs:
            self.terminate()
            return False
        for callbacks in (self._listeners, self._log_listeners, self._query_loggers, self._termination_listeners):
            callbacks.clear()
        if self.is_in_transaction():
            await self._protocol.query("ROLLBACK", None)
        await self._protocol.query("DISCARD ALL", None)
        self._mark_stmts_as_closed()  # DISCARD ALL has dropped them; asyncpg must not use or close them again.
        return True


class KeptConnections:
    """The connection of the latest test of each loop, if no other one has it meanwhile."""

    def __init__(self) -> None:
        self._idle: dict[asyncio.AbstractEventLoop, tuple[Clone, asyncpg.Pool]] = {}

    @contextlib.asynccontextmanager
    async def connection(self, clone: Clone, kept: list[int] | None) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection to a clone, the one of the test before where it is still there.

        Args:
            clone: The test's database.
            kept: Where to put the process id of the connection's backend, if it stays; None: it is not to stay.
        """
        pool = await self._pool(clone)
        stays = False
        try:
            proxy: Any = await pool.acquire()
            try:
                yield proxy
            finally:
                stays = kept is not None and await _renew(proxy._con)
                if kept is not None and stays:
                    kept.append(proxy._con.get_server_pid())
                    await pool.release(proxy)
        finally:
            if stays:
                self._discard()
                self._idle[asyncio.get_running_loop()] = clone, pool
            else:
                pool.terminate()

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends."""
        self._discard()

    def _discard(self) -> None:
        _, pool = self._idle.pop(asyncio.get_running_loop(), (None, None))
        if pool is not None:
            pool.terminate()

    async def _pool(self, clone: Clone) -> asyncpg.Pool:
        last, pool = self._idle.pop(asyncio.get_running_loop(), (None, None))
        if pool is not None and last == clone:
            return pool
        if pool is not None:
            pool.terminate()
        return await asyncpg.create_pool(
            **clone.connect_kwargs, connection_class=KeptConnection, **POOL_OF_ONE, reset=_already_reset
        )


async def _renew(connection: KeptConnection) -> bool:
    try:
        async with asyncio.timeout(_RESET_TIMEOUT_S):
            return await connection.renew()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False  # Lost, or still in use: whoever uses it is cut off, and the backend is ended.


async def _already_reset(connection: object) -> None:
    """`KeptConnection.renew` has reset the session."""
