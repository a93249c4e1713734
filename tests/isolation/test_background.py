"""The background loop works from any thread and never holds a process up."""

from __future__ import annotations

import asyncio
import threading

import pytest

from realservices.isolation.background import BackgroundLoop


async def _thread_name() -> str:
    return threading.current_thread().name


async def _fail() -> None:
    raise ZeroDivisionError


def test_work_is_done_in_its_own_thread() -> None:
    background = BackgroundLoop()
    assert background.run(_thread_name()) == "realservices-background"
    with pytest.raises(ZeroDivisionError):
        background.run(_fail())
    background.stop()


async def test_it_serves_a_thread_whose_own_loop_runs() -> None:
    background = BackgroundLoop()
    assert background.run(_thread_name()) == "realservices-background"
    assert await asyncio.wrap_future(background.submit(_thread_name())) == "realservices-background"
    background.stop()


def test_stop_cancels_what_runs_and_may_be_repeated() -> None:
    before = set(threading.enumerate())
    background = BackgroundLoop()
    endless = background.submit(asyncio.Event().wait())
    background.run(_thread_name())
    background.stop()
    background.stop()
    assert endless.cancelled()
    assert set(threading.enumerate()) <= before


def test_stop_without_a_start() -> None:
    before = set(threading.enumerate())
    BackgroundLoop().stop()
    assert set(threading.enumerate()) == before
