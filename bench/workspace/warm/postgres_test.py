"""A test that uses PostgreSQL once."""

from __future__ import annotations

from typing import Any


async def test_database(isolated_database: Any) -> None:
    """Use it."""
    assert await isolated_database.fetchval("SELECT count(*) FROM customer") == 0
