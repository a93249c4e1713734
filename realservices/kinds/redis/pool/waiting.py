"""A Redis client whose database comes with its first command, once another test has given one back.

A subscript of an environment cannot await; so where all indexes are in use, what it returns waits here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import redis.asyncio

from realservices.isolation.errors import IsolationError
from realservices.kinds.redis.isolation.clients import IsolatedRedis

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class WaitingRedis(IsolatedRedis):
    """`IsolatedRedis` on a `WaitingPool`, which knows its URL and its database after its first command."""

    connection_pool: WaitingPool

    @property
    def url(self) -> str:  # type: ignore[override]
        """The URL for code under test that makes its own client."""
        return self._arrived("url").url

    @property
    def database_index(self) -> int:  # type: ignore[override]
        """Which database it is."""
        return self._arrived("database_index").database_index

    def _arrived(self, name: str) -> IsolatedRedis:
        client = self.connection_pool.client
        if client is None:
            raise IsolationError(
                f"redis.{name}: all databases were in use when this test asked for Redis, so it gets one with "
                f"its first command: await redis.ping() before redis.{name}"
            )
        return client


class WaitingPool(redis.asyncio.ConnectionPool):
    """Stands before the pool of a client that is yet to come.

    Attributes:
        client: It, or None before the first command.

    Args:
        wait: Waits for it.
    """

    def __init__(self, wait: Callable[[], Awaitable[IsolatedRedis]]) -> None:
        super().__init__(decode_responses=True)
        self._wait = wait
        self._waiting = asyncio.Lock()
        self.client: IsolatedRedis | None = None

    async def get_connection(self, *args: Any, **options: Any) -> Any:
        """Wait for the client, and check out a connection of its pool."""
        async with self._waiting:
            if self.client is None:
                self.client = await self._wait()
        pool: Any = self.client.connection_pool
        return await pool.get_connection(*args, **options)

    async def release(self, connection: Any) -> None:
        """Give a connection back to where it came from."""
        if self.client is not None:
            await self.client.connection_pool.release(connection)

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close what is open, as `Redis.connection_pool.disconnect` does."""
        if self.client is not None:
            await self.client.connection_pool.disconnect(inuse_connections)
