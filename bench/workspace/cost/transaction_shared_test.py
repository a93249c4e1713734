"""The same statement over a connection that all tests share: what `transaction_test.py` costs without isolation."""

from __future__ import annotations

from typing import Any


async def test_transaction_shared(number: int, connection: Any) -> None:
    """Use the connection once."""
    statement = f"INSERT INTO customer (email, name) VALUES ('{number}@example.com', 'A')"  # noqa: S608 - a number
    await connection.execute(statement)
