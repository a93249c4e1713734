"""What servers_test.py does, without putting anything back."""

from __future__ import annotations

from typing import Any


async def test_servers_shared(number: int, written_by_server: Any) -> None:
    """Write as the server would."""
    assert await written_by_server(number) == number + 1
