"""The tests of invoices as they were: PostgreSQL and Redis are mocks. `invoices_test.py` is what became of them."""

from __future__ import annotations

from unittest.mock import AsyncMock

import pytest

from billing.invoices import Invoices


@pytest.fixture
def mock_database() -> AsyncMock:
    database = AsyncMock()
    database.fetchval.return_value = 1
    database.execute.return_value = "UPDATE 1"
    return database


@pytest.fixture
def mock_redis() -> AsyncMock:
    redis = AsyncMock()
    redis.get.return_value = None
    return redis


@pytest.mark.asyncio
async def test_an_invoice_is_stored(mock_database: AsyncMock, mock_redis: AsyncMock) -> None:
    assert await Invoices(mock_database, mock_redis).issue(customer="ada", number="7", cents=4200)
    mock_database.fetchval.assert_awaited_once()
    assert mock_database.fetchval.await_args.args[1:] == ("ada", "7", 4200)
    mock_redis.delete.assert_awaited_once_with("owed:ada")


@pytest.mark.asyncio
async def test_an_invoice_that_comes_twice_is_stored_once(mock_database: AsyncMock, mock_redis: AsyncMock) -> None:
    mock_database.fetchval.side_effect = [1, None]
    invoices = Invoices(mock_database, mock_redis)
    assert await invoices.issue(customer="ada", number="7", cents=4200)
    assert not await invoices.issue(customer="ada", number="7", cents=4200)


@pytest.mark.asyncio
async def test_a_paid_invoice_is_noted(mock_database: AsyncMock, mock_redis: AsyncMock) -> None:
    assert await Invoices(mock_database, mock_redis).pay(customer="ada", number="7")
    mock_database.execute.assert_awaited_once()
    assert mock_database.execute.await_args.args[1:] == ("ada", "7")


@pytest.mark.asyncio
async def test_what_is_owed_is_summed_up_and_kept(mock_database: AsyncMock, mock_redis: AsyncMock) -> None:
    mock_database.fetchval.return_value = 4200
    assert await Invoices(mock_database, mock_redis).owed("ada") == 4200
    mock_redis.set.assert_awaited_once_with("owed:ada", 4200, ex=60)


@pytest.mark.asyncio
async def test_what_is_kept_is_not_summed_up_again(mock_database: AsyncMock, mock_redis: AsyncMock) -> None:
    mock_redis.get.return_value = "4200"
    assert await Invoices(mock_database, mock_redis).owed("ada") == 4200
    mock_database.fetchval.assert_not_awaited()
