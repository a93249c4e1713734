"""What clone_ahead_test.py does, without a clone."""

from __future__ import annotations

import time


async def test_slow(number: int) -> None:
    """Do something for a while."""
    time.sleep(0.05)
