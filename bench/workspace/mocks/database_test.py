"""The five hundred tests of mocks_test.py with a database: they say what is to be true of it."""

from __future__ import annotations

import asyncpg
import pytest
from customers import EmailTakenError, NoCustomerError, find, register, rename

pytestmark = pytest.mark.parametrize("email", [f"{number}@example.com" for number in range(100)])
_INSERT = "INSERT INTO customer (email, name) VALUES ($1, 'Ada') RETURNING id"


async def test_a_customer_registers(isolated_database: asyncpg.Connection, email: str) -> None:
    number = await register(isolated_database, email, "Ada")
    assert await isolated_database.fetchval("SELECT name FROM customer WHERE id = $1", number) == "Ada"


async def test_an_address_is_taken_once(isolated_database: asyncpg.Connection, email: str) -> None:
    await isolated_database.fetchval(_INSERT, email)
    with pytest.raises(EmailTakenError):
        await register(isolated_database, email, "Ada")


async def test_a_customer_is_found(isolated_database: asyncpg.Connection, email: str) -> None:
    number = await isolated_database.fetchval(_INSERT, email)
    assert await find(isolated_database, email) == (number, "Ada")


async def test_a_customer_gets_another_name(isolated_database: asyncpg.Connection, email: str) -> None:
    number = await isolated_database.fetchval(_INSERT, email)
    await rename(isolated_database, number, "Grace")
    assert await isolated_database.fetchval("SELECT name FROM customer WHERE id = $1", number) == "Grace"


async def test_nobody_gets_another_name(isolated_database: asyncpg.Connection, email: str) -> None:
    with pytest.raises(NoCustomerError):
        await rename(isolated_database, 7, email)
