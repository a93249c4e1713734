"""A cloned database for each test, where tests take long enough for the next clone to be made meanwhile."""

from __future__ import annotations

import time
from typing import Any


async def test_clone(number: int, cloned_database: Any) -> None:
    """Stand for a test that does something for a while; slow_test.py does the same without a clone."""
    time.sleep(0.05)  # Code under test does not give way to our loop either.
    assert cloned_database.url
