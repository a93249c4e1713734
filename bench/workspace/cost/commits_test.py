"""A database of its own for each test, with three statements that are committed."""

from __future__ import annotations

from typing import Any


async def test_commits(number: int, isolated_database: Any) -> None:
    """Write, change and read as code under test would."""
    email = f"{number}@example.com"
    insert = "INSERT INTO customer (email, name) VALUES ($1, 'A') RETURNING id"
    customer = await isolated_database.fetchval(insert, email)
    await isolated_database.execute("UPDATE customer SET name = 'B' WHERE id = $1", customer)
    assert await isolated_database.fetchval("SELECT name FROM customer WHERE email = $1", email) == "B"
