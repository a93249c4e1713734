"""A cloned database for each test, test upon test, so that hardly any is made ahead in time."""

from __future__ import annotations

from typing import Any


async def test_clone(number: int, cloned_database: Any) -> None:
    """Get it; connecting is the business of the code under test."""
    assert cloned_database.url
