"""Invoices in PostgreSQL, and what a customer owes, kept in Redis for a minute.

`migrations/001_invoices.sql` is the schema. An invoice that arrives twice, because the first answer was lost, is stored
once.
"""

from __future__ import annotations

from typing import Any, Protocol

from redis.asyncio import Redis

_KEPT_S = 60


class Connection(Protocol):
    """An asyncpg connection, seen from here."""

    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement and return its command tag."""

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Run a query and return the first column of its first row."""


class Invoices:
    """The queries, on one connection and one Redis."""

    def __init__(self, connection: Connection, redis: Redis) -> None:
        """Use both as they are."""
        self._connection = connection
        self._redis = redis

    async def issue(self, *, customer: str, number: str, cents: int) -> bool:
        """Store an invoice.

        Returns:
            False if the customer has one with this number already; that one stays as it is.
        """
        invoice = await self._connection.fetchval(
            "INSERT INTO invoices (customer, number, cents) VALUES ($1, $2, $3) "
            "ON CONFLICT (customer, number) DO NOTHING RETURNING id",
            customer,
            number,
            cents,
        )
        await self._redis.delete(owed_key(customer))
        return invoice is not None

    async def pay(self, *, customer: str, number: str) -> bool:
        """Note that an invoice is paid.

        Returns:
            False if there is no such invoice, or it is paid already.
        """
        tag = await self._connection.execute(
            "UPDATE invoices SET paid_at = now() WHERE customer = $1 AND number = $2 AND paid_at IS NULL",
            customer,
            number,
        )
        await self._redis.delete(owed_key(customer))
        return tag == "UPDATE 1"

    async def owed(self, customer: str) -> int:
        """Return what a customer owes, in cents."""
        kept = await self._redis.get(owed_key(customer))
        if kept is not None:
            return int(kept)
        # PostgreSQL's sum of bigint is numeric, for which Redis has no type.
        cents: int = await self._connection.fetchval(
            "SELECT coalesce(sum(cents), 0)::bigint FROM invoices WHERE customer = $1 AND paid_at IS NULL", customer
        )
        await self._redis.set(owed_key(customer), cents, ex=_KEPT_S)
        return cents


def owed_key(customer: str) -> str:
    """Return the key of what a customer owes."""
    return f"owed:{customer}"
