"""A test that uses ClickHouse once."""

from __future__ import annotations

from typing import Any


async def test_database(isolated_clickhouse: Any) -> None:
    """Use it."""
    await isolated_clickhouse.execute("INSERT INTO error (service, message) VALUES ('a', 'b')")
