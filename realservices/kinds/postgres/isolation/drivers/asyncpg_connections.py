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
    from collections.abc import AsyncIterator

    from realservices.kinds.postgres.isolation.clone import Clone

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


class AsyncpgConnections(KeptConnections[KeptConnection]):
    """The connection of the latest test of each loop, if no other one has it meanwhile."""

    def __init__(self) -> None:
        super().__init__(KeptConnection, most=1)

    @contextlib.asynccontextmanager
    async def connection(self, clone: Clone, *, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection to a clone, the one of the test before where it is still there.

        Args:
            clone: The test's database.
            keep: It is worth keeping: loop and database serve later tests, too.
        """
        pooled = await self.take(clone) or await self.connect(clone, _prepare if keep else None)
        stays = False
        try:
            yield pooled.proxy
        finally:
            try:
                stays = keep and await _renew(pooled.connection)
                if stays:
                    await self.release(pooled)
            finally:
                if not stays:
                    self.discard(pooled)


async def _prepare(connection: Any) -> None:
    await getattr(connection, "_con", connection).remember()  # Whether it is a proxy depends on asyncpg's version.


async def _renew(connection: KeptConnection) -> bool:
    try:
        async with asyncio.timeout(_RESET_TIMEOUT_S):
            return await connection.renew()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False  # Lost, or still in use: whoever uses it is cut off, and the backend is ended.
