"""The end of clients' connections, as the server sees them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

# Some are about to end by themselves, as their client has closed the connection, and need no millisecond more.
_PAUSE_S = 0.001
_TIMEOUT_S = 5.0
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid::oid = ANY ($1)"
_LEFT = "SELECT pid FROM pg_stat_activity WHERE pid::oid = ANY ($1)"


async def end_backends(connection: asyncpg.Connection, pids: Sequence[int]) -> None:
    """End backends, and wait until they are gone, 5 s at most: who goes on finds those that are left.

    Not by pg_terminate_backend's own time-out: it looks once, and then every 100 ms (storage/ipc/signalfuncs.c).
    """
    await connection.fetch(_END, pids)
    deadline = time.monotonic() + _TIMEOUT_S
    while await connection.fetch(_LEFT, pids) and time.monotonic() < deadline:
        await asyncio.sleep(_PAUSE_S)
