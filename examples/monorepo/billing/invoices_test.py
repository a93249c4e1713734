"""Invoices in a real PostgreSQL and a real Redis. The names are those of the mock-based tests that these were."""

from __future__ import annotations

import pytest

from billing.invoices import Invoices
from billing.testing import DatabaseConnection, IsolatedRedis

pytestmark = [pytest.mark.requires_postgres, pytest.mark.requires_redis]


@pytest.fixture
def invoices(isolated_database: DatabaseConnection, isolated_redis: IsolatedRedis) -> Invoices:
    return Invoices(isolated_database, isolated_redis)


async def test_an_invoice_is_stored(
    invoices: Invoices, isolated_database: DatabaseConnection, isolated_redis: IsolatedRedis
) -> None:
    await isolated_redis.set("owed:ada", "0")
    assert await invoices.issue(customer="ada", number="7", cents=4200)
    rows = await isolated_database.fetch("SELECT customer, number, cents, paid_at FROM invoices")
    assert [tuple(row) for row in rows] == [("ada", "7", 4200, None)]
    assert not await isolated_redis.exists("owed:ada")


async def test_an_invoice_that_comes_twice_is_stored_once(
    invoices: Invoices, isolated_database: DatabaseConnection
) -> None:
    assert await invoices.issue(customer="ada", number="7", cents=4200)
    assert not await invoices.issue(customer="ada", number="7", cents=4200)
    assert await invoices.issue(customer="bob", number="7", cents=4200)
    assert await isolated_database.fetchval("SELECT count(*) FROM invoices WHERE customer = 'ada'") == 1


async def test_a_paid_invoice_is_noted(
    invoices: Invoices, isolated_database: DatabaseConnection, isolated_redis: IsolatedRedis
) -> None:
    for customer, number in (("ada", "7"), ("ada", "8"), ("bob", "7")):
        await invoices.issue(customer=customer, number=number, cents=4200)
    await isolated_redis.set("owed:ada", "8400")
    assert await invoices.pay(customer="ada", number="7")
    assert not await invoices.pay(customer="ada", number="7")
    assert not await invoices.pay(customer="ada", number="9")
    paid = await isolated_database.fetch("SELECT customer, number FROM invoices WHERE paid_at IS NOT NULL")
    assert [tuple(row) for row in paid] == [("ada", "7")]
    assert not await isolated_redis.exists("owed:ada")


async def test_what_is_owed_is_summed_up_and_kept(invoices: Invoices, isolated_redis: IsolatedRedis) -> None:
    for customer, number in (("ada", "7"), ("ada", "8"), ("ada", "9"), ("bob", "7")):
        await invoices.issue(customer=customer, number=number, cents=2100)
    await invoices.pay(customer="ada", number="9")
    assert await invoices.owed("ada") == 4200
    assert await isolated_redis.get("owed:ada") == "4200"
    assert await isolated_redis.ttl("owed:ada") == 60
    assert await invoices.owed("eve") == 0


async def test_what_is_kept_is_not_summed_up_again(invoices: Invoices, isolated_redis: IsolatedRedis) -> None:
    await isolated_redis.set("owed:ada", "4200")
    assert await invoices.owed("ada") == 4200
