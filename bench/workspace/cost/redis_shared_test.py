"""The same command over a client that all tests share: what `redis_test.py` costs without isolation."""

from __future__ import annotations

import os

import pytest
import redis.asyncio


@pytest.fixture(scope="session")
def client() -> redis.asyncio.Redis:
    """One client for all tests; its only connection ends with the process."""
    return redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])


async def test_redis_shared(number: int, client: redis.asyncio.Redis) -> None:
    """Use the client once."""
    await client.set("key", "value")
