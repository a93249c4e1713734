"""A ClickHouse database for each test, with one statement in it, test upon test: hardly any is made ahead in time."""

from __future__ import annotations

from typing import Any


async def test_clickhouse(number: int, isolated_clickhouse: Any) -> None:
    """Use the database once: one that is only handed out might not even be there."""
    await isolated_clickhouse.execute("INSERT INTO error (service, message) VALUES ('a', 'b')")
