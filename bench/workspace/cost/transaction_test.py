"""A transaction for each test, with one statement in it."""

from __future__ import annotations

from typing import Any


async def test_transaction(number: int, isolated_database: Any) -> None:
    """Use the connection once: one that is only handed out might not even be there."""
    await isolated_database.execute("INSERT INTO customer (email, name) VALUES ('a@example.com', 'A')")
