"""Code under test: the customers of a shop, over a connection of asyncpg's."""

from __future__ import annotations

import asyncpg


class EmailTakenError(Exception):
    """Another customer has the address."""


class NoCustomerError(Exception):
    """There is no such customer."""


async def register(database: asyncpg.Connection, email: str, name: str) -> int:
    """Return the number of a new customer."""
    async with database.transaction():
        if await database.fetchval("SELECT 1 FROM customer WHERE email = $1", email):
            raise EmailTakenError(email)
        number: int = await database.fetchval(
            "INSERT INTO customer (email, name) VALUES ($1, $2) RETURNING id", email, name
        )
    return number


async def rename(database: asyncpg.Connection, number: int, name: str) -> None:
    """Give a customer another name."""
    if await database.execute("UPDATE customer SET name = $2 WHERE id = $1", number, name) != "UPDATE 1":
        raise NoCustomerError(number)


async def find(database: asyncpg.Connection, email: str) -> tuple[int, str]:
    """Return a customer's number and name."""
    row = await database.fetchrow("SELECT id, name FROM customer WHERE email = $1", email)
    if row is None:
        raise NoCustomerError(email)
    return row["id"], row["name"]
