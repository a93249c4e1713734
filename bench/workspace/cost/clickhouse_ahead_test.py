"""A ClickHouse database for each test, where tests take long enough for the next one to be made meanwhile."""

from __future__ import annotations

import time
from typing import Any


async def test_clickhouse(number: int, isolated_clickhouse: Any) -> None:
    """Use the database once, and do something for a while."""
    await isolated_clickhouse.execute("INSERT INTO error (service, message) VALUES ('a', 'b')")
    time.sleep(0.05)  # Code under test does not give way to our loop either.
