"""The end of tasks that run beside a server for as long as it serves."""

from __future__ import annotations

import asyncio
from typing import Any

_ONCE_MORE_S = 0.1


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end; raise what had ended it before its time.

    Before Python 3.12 `asyncio.wait_for` forgets that it was cancelled if what it waits for is done in the same moment;
    redis-py sends by it. So a task is cancelled until it heeds that.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_ONCE_MORE_S)
    if not task.cancelled():
        task.result()
