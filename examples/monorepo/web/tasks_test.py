"""Tasks end when they are told to, and say why they ended before."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from web.tasks import end_task

TIMEOUT_S = 10


async def deaf(times: int, begun: asyncio.Event) -> None:
    """Forget some cancellations."""
    begun.set()
    for _ in range(times):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


@pytest.mark.parametrize("times", [0, 1, 3])
async def test_task_ends_however_often_it_has_to_be_told(times: int) -> None:
    begun = asyncio.Event()
    task = asyncio.create_task(deaf(times, begun))
    await begun.wait()
    async with asyncio.timeout(TIMEOUT_S):
        await end_task(task)
    assert task.cancelled()


async def test_what_ended_a_task_before_is_raised() -> None:
    async def fail() -> None:
        raise KeyError("why")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    with pytest.raises(KeyError, match="why"):
        await end_task(task)


async def test_task_that_is_over_is_over() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    task.cancel()
    await asyncio.wait([task])
    await end_task(task)
    assert task.cancelled()
