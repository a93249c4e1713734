"""The same statement over a client that all tests share: what `clickhouse_test.py` costs without isolation."""

from __future__ import annotations

import asyncio
from typing import Any


async def test_clickhouse_shared(number: int, clickhouse_client: Any) -> None:
    """Use the client once, in a thread: it blocks."""
    await asyncio.to_thread(clickhouse_client.command, "INSERT INTO error (service, message) VALUES ('a', 'b')")
