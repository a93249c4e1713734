from unittest.mock import AsyncMock, MagicMock, patch

import psycopg
import pytest
import redis
from sqlalchemy.exc import OperationalError

from app import faults, notes, orders


async def test_a_cache_that_is_gone():
    mock_redis = AsyncMock()
    mock_redis.get.side_effect = redis.ConnectionError("down")
    assert await faults.recall_or_none(mock_redis, "a") is None


async def test_a_slow_cache():
    mock_redis = AsyncMock(get=AsyncMock(side_effect=TimeoutError))
    assert await faults.recall_in_time(mock_redis, "a") == "too late"


def test_an_author_is_not_stored():
    session = MagicMock()
    session.commit.side_effect = OperationalError("INSERT", {}, Exception("gone"))
    assert not faults.store_author(session, "Ann")
    session.rollback.assert_called_once()


def test_notes_are_gone():
    conn = MagicMock()
    conn.cursor.return_value.__enter__.return_value.execute.side_effect = psycopg.OperationalError("gone")
    assert faults.first_body(conn, "ann") == "the notes are gone"


async def test_a_pool_without_a_server():
    pool = MagicMock()
    pool.acquire.side_effect = ConnectionRefusedError
    with patch("app.orders.pool", pool), pytest.raises(OSError):
        await orders.orders_of(4)


@patch("app.notes.psycopg.connect", side_effect=psycopg.OperationalError("gone"))
def test_no_connection(connect):
    with pytest.raises(psycopg.OperationalError):
        notes.count_notes()
