"""What commits_test.py does over a connection that all tests share, without undoing anything."""

from __future__ import annotations

from typing import Any


async def test_commits_shared(number: int, connection: Any) -> None:
    """Write, change and read as code under test would."""
    email = f"{number}@example.com"
    insert = "INSERT INTO customer (email, name) VALUES ($1, 'A') RETURNING id"
    customer = await connection.fetchval(insert, email)
    await connection.execute("UPDATE customer SET name = 'B' WHERE id = $1", customer)
    assert await connection.fetchval("SELECT name FROM customer WHERE email = $1", email) == "B"
