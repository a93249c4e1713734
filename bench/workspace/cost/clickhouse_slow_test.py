"""What clickhouse_ahead_test.py does, without isolation."""

from __future__ import annotations

import asyncio
import time
from typing import Any


async def test_clickhouse_slow(number: int, clickhouse_client: Any) -> None:
    """Use the client once, and do something for a while."""
    await asyncio.to_thread(clickhouse_client.command, "INSERT INTO error (service, message) VALUES ('a', 'b')")
    time.sleep(0.05)
