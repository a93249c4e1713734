"""The same statement over a connection that all tests share: what `transaction_test.py` costs without isolation."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def connection() -> AsyncIterator[asyncpg.Connection]:
    """One connection for all tests."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    yield connection
    await connection.close()


async def test_transaction_shared(number: int, connection: asyncpg.Connection) -> None:
    """Use the connection once."""
    statement = f"INSERT INTO customer (email, name) VALUES ('{number}@example.com', 'A')"  # noqa: S608 - a number
    await connection.execute(statement)
