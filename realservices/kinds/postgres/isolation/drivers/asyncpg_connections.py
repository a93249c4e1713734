"""Connections of asyncpg to a test's database that has other clients, too. One is kept for the next test."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.kinds.postgres.isolation.drivers import session_state
from realservices.kinds.postgres.isolation.kept_connections import KeptConnections
from realservices.kinds.postgres.isolation.resettable_connection import ResettableConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from realservices.kinds.postgres.isolation.drivers.lease import DatabaseLease
    from realservices.kinds.postgres.isolation.kept_connections import PooledConnection

_RESET_TIMEOUT_S = 10.0


class KeptConnection(ResettableConnection):
    """Commits as any other connection. Between two tests its session is reset.

    Attributes:
        is_set_up: It has what an engine sets up for each of its connections.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_set_up = False
        self._state = ""

    async def remember(self) -> None:
        """Remember what a new session is like."""
        with contextlib.suppress(asyncpg.PostgresError):
            await self.raw.query(session_state.PREPARE, None)
        self._state = str(await self.fetchval(session_state.STATE))
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
        if not await self.is_as_new():
            self.terminate()
            return False
        return True

    async def is_as_new(self) -> bool:
        """Return whether the session, which no test uses, is as one that begins now."""
        return bool(await self.raw.query(session_state.HAS_STATE.format(self._state), None) == "SELECT 1")


class AsyncpgConnections(KeptConnections[KeptConnection]):
    """The connection of the latest test of each loop, if no other one has it meanwhile."""

    def __init__(self) -> None:
        super().__init__(KeptConnection, most=1)

    @contextlib.asynccontextmanager
    async def connection(self, lease: DatabaseLease, *, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection to a test's database, the one of the test before where it is still there.

        Args:
            lease: The database.
            keep: The running loop serves later tests too, so the connection is worth keeping.
        """
        keep = keep and lease.keeps
        pooled = await self._taken(lease) or await self.connect(lease.clone, _prepare if keep else None)
        stays = False
        try:
            yield pooled.proxy
        finally:
            try:
                stays = keep and await _in_time(pooled.connection.renew())
                if stays:
                    await self.release(pooled)
            finally:
                if not stays:
                    self.discard(pooled)

    async def _taken(self, lease: DatabaseLease) -> PooledConnection[KeptConnection] | None:
        asks = lease.begin_connection()
        pooled = await self.take(lease.clone)
        if pooled is None or not asks or await _in_time(pooled.connection.is_as_new()):
            return pooled
        self.discard(pooled)
        return None


async def _prepare(connection: Any) -> None:
    await getattr(connection, "_con", connection).remember()  # Whether it is a proxy depends on asyncpg's version.


async def _in_time(work: Coroutine[Any, Any, bool]) -> bool:
    try:
        async with asyncio.timeout(_RESET_TIMEOUT_S):
            return await work
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False  # Lost, or still in use: whoever uses it is cut off, and the backend is ended.
