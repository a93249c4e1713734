"""What pytest and an event loop cost by themselves."""

from __future__ import annotations


async def test_trivial(number: int) -> None:
    """Pass."""
    assert number >= 0
