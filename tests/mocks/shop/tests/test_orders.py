from unittest.mock import AsyncMock, MagicMock, patch

import pytest

from app import orders


@pytest.fixture
def mock_pool():
    pool = MagicMock()
    conn = AsyncMock()
    pool.acquire.return_value.__aenter__.return_value = conn
    conn.transaction = MagicMock()
    return pool


async def test_orders_of_user():
    pool = MagicMock()
    conn = AsyncMock()
    pool.acquire.return_value.__aenter__.return_value = conn
    conn.fetch.return_value = [{"id": 1, "quantity": 2, "state": "paid"}]
    with patch("app.orders.pool", pool):
        result = await orders.orders_of(4)
    assert result == [{"id": 1, "quantity": 2, "state": "paid"}]


@patch("app.orders.pool")
async def test_pay(mock_pool):
    conn = AsyncMock()
    mock_pool.acquire.return_value.__aenter__.return_value = conn
    await orders.pay(12)
    conn.execute.assert_awaited_once()


@patch("app.orders.pool")
async def test_no_stock(pool):
    conn = pool.acquire.return_value.__aenter__.return_value
    conn.fetchval = AsyncMock(return_value=1)
    conn.transaction = MagicMock()
    assert await orders.place_order(1, 2, 5) is None


async def test_unknown_product(mock_pool, monkeypatch):
    monkeypatch.setattr(orders, "pool", mock_pool)
    mock_pool.acquire.return_value.__aenter__.return_value.fetchval = AsyncMock(return_value=None)
    assert await orders.place_order(1, 2, 5) is None
