"""A Redis database for each test, with one command."""

from __future__ import annotations

from typing import Any


async def test_redis(number: int, isolated_redis: Any) -> None:
    """Use the client once: one that is only handed out might not even be connected."""
    await isolated_redis.set("key", "value")
