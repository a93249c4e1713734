"""The fixtures' types, for the tests of this folder."""

from __future__ import annotations

from typing import Any, Protocol

from redis.asyncio import Redis

from billing.invoices import Connection


class DatabaseConnection(Connection, Protocol):
    """An asyncpg connection, with what only tests use of it."""

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """Run a query and return its rows."""


class IsolatedRedis(Redis):
    """The `isolated_redis` fixture, for the type checker."""
