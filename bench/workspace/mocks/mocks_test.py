"""Five hundred tests with mocks: they say what the code under test is to send, and what comes back."""

from __future__ import annotations

from unittest.mock import AsyncMock, MagicMock

import asyncpg
import pytest
from customers import EmailTakenError, NoCustomerError, find, register, rename

pytestmark = pytest.mark.parametrize("email", [f"{number}@example.com" for number in range(100)])


@pytest.fixture
def database() -> AsyncMock:
    """A connection that is none."""
    mock = AsyncMock(spec=asyncpg.Connection)
    mock.transaction = MagicMock()
    return mock


async def test_a_customer_registers(database: AsyncMock, email: str) -> None:
    database.fetchval.side_effect = [None, 7]
    assert await register(database, email, "Ada") == 7
    database.fetchval.assert_awaited_with(
        "INSERT INTO customer (email, name) VALUES ($1, $2) RETURNING id", email, "Ada"
    )


async def test_an_address_is_taken_once(database: AsyncMock, email: str) -> None:
    database.fetchval.side_effect = [1]
    with pytest.raises(EmailTakenError):
        await register(database, email, "Ada")
    database.fetchval.assert_awaited_once()


async def test_a_customer_is_found(database: AsyncMock, email: str) -> None:
    database.fetchrow.return_value = {"id": 7, "name": "Ada"}
    assert await find(database, email) == (7, "Ada")
    database.fetchrow.assert_awaited_once_with("SELECT id, name FROM customer WHERE email = $1", email)


async def test_a_customer_gets_another_name(database: AsyncMock, email: str) -> None:
    database.execute.return_value = "UPDATE 1"
    await rename(database, 7, email)
    database.execute.assert_awaited_once_with("UPDATE customer SET name = $2 WHERE id = $1", 7, email)


async def test_nobody_gets_another_name(database: AsyncMock, email: str) -> None:
    database.execute.return_value = "UPDATE 0"
    with pytest.raises(NoCustomerError):
        await rename(database, 7, email)
