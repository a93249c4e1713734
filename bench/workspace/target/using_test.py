"""A test that uses each service once."""

from __future__ import annotations

from typing import Any


async def test_both(isolated_database: Any, isolated_redis: Any) -> None:
    """Write to and read from each."""
    await isolated_database.execute("INSERT INTO customer (email, name) VALUES ('a@example.com', 'A')")
    assert await isolated_database.fetchval("SELECT count(*) FROM customer") == 1
    await isolated_redis.set("key", "value")
    assert await isolated_redis.get("key") == "value"
