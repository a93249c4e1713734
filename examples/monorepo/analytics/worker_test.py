"""Events on their way from a real Redis to a real ClickHouse, also while one of them is away."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from analytics.store import EventStore
from analytics.testing import ClickHouseDatabase
from analytics.worker import GROUP, REFUSED, STREAM, work
from auth.testing import IsolatedRedis, ServiceControl
from web.tasks import end_task

TIMEOUT_S = 10

pytestmark = [pytest.mark.requires_clickhouse, pytest.mark.requires_redis]


@asynccontextmanager
async def at_work(redis: IsolatedRedis, clickhouse: ClickHouseDatabase, name: str = "worker") -> AsyncIterator[None]:
    """A worker, until the context ends."""
    begun = asyncio.Event()
    task = asyncio.create_task(work(redis_url=redis.url, clickhouse_url=clickhouse.url, name=name, on_ready=begun.set))
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await begun.wait()
        yield
    finally:
        await end_task(task)


@pytest.fixture
async def worker(isolated_redis: IsolatedRedis, isolated_clickhouse: ClickHouseDatabase) -> AsyncIterator[None]:
    async with at_work(isolated_redis, isolated_clickhouse):
        yield


async def record(redis: IsolatedRedis, name: str, user_id: int, **more: Any) -> None:
    content = {"id": f"{name} {user_id}", "event": name, "user_id": user_id, "timestamp": "2023-01-01T00:00:00", **more}
    await redis.xadd(STREAM, {"event": json.dumps(content)})


async def emptied(redis: IsolatedRedis) -> None:
    """Return when the stream is empty: what was in it is stored, or refused."""
    async with asyncio.timeout(TIMEOUT_S):
        while await redis.xlen(STREAM):
            pass


@pytest.mark.usefixtures("worker")
async def test_events_arrive_and_leave_the_stream(isolated_redis: IsolatedRedis, store: EventStore) -> None:
    for user in range(3):
        await record(isolated_redis, "click", user)
    await emptied(isolated_redis)
    assert await store.counts() == {"click": 3}
    await record(isolated_redis, "scroll", 1)
    await emptied(isolated_redis)
    assert await store.counts() == {"click": 3, "scroll": 1}


async def test_events_wait_for_the_worker(
    isolated_redis: IsolatedRedis, isolated_clickhouse: ClickHouseDatabase, store: EventStore
) -> None:
    for user in range(2500):  # more than a worker takes at once
        await record(isolated_redis, "click", user)
    async with at_work(isolated_redis, isolated_clickhouse):
        await emptied(isolated_redis)
    assert await store.counts() == {"click": 2500}


async def test_worker_makes_the_tables_that_are_not_there(
    isolated_redis: IsolatedRedis, isolated_clickhouse: ClickHouseDatabase, store: EventStore
) -> None:
    await isolated_clickhouse.execute("DROP TABLE events")
    async with at_work(isolated_redis, isolated_clickhouse):
        await record(isolated_redis, "click", 1)
        await emptied(isolated_redis)
    assert await store.counts() == {"click": 1}


@pytest.mark.usefixtures("worker")
async def test_event_that_is_recorded_twice_counts_once(isolated_redis: IsolatedRedis, store: EventStore) -> None:
    for _ in range(2):
        await record(isolated_redis, "click", 1)
        await emptied(isolated_redis)
    assert await store.counts() == {"click": 1}


async def test_what_a_worker_had_taken_when_it_died_is_taken_again(
    isolated_redis: IsolatedRedis, isolated_clickhouse: ClickHouseDatabase, store: EventStore
) -> None:
    await isolated_redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    await record(isolated_redis, "click", 1)
    await isolated_redis.xreadgroup(GROUP, "worker", {STREAM: ">"})  # and is not heard of again
    await record(isolated_redis, "click", 2)
    async with at_work(isolated_redis, isolated_clickhouse):
        await emptied(isolated_redis)
    assert await store.counts() == {"click": 2}


async def test_two_workers_share_the_stream(
    isolated_redis: IsolatedRedis, isolated_clickhouse: ClickHouseDatabase, store: EventStore
) -> None:
    async with (
        at_work(isolated_redis, isolated_clickhouse, "first"),
        at_work(isolated_redis, isolated_clickhouse, "second"),
    ):
        for user in range(200):
            await record(isolated_redis, "click", user)
        await emptied(isolated_redis)
    assert await store.counts() == {"click": 200}
    assert await isolated_clickhouse.execute("SELECT count() FROM events") == [(200,)]  # none was stored twice


@pytest.mark.usefixtures("worker")
async def test_what_is_no_event_is_put_aside_and_stops_nobody(isolated_redis: IsolatedRedis, store: EventStore) -> None:
    await isolated_redis.xadd(STREAM, {"event": "{"})
    await isolated_redis.xadd(STREAM, {"other": "field"})
    await record(isolated_redis, "click", -1)
    await record(isolated_redis, "click", 1)
    await emptied(isolated_redis)
    assert await store.counts() == {"click": 1}
    assert await isolated_redis.xlen(REFUSED) == 3


# Failures


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.usefixtures("worker")
async def test_without_clickhouse_events_wait(
    isolated_redis: IsolatedRedis, store: EventStore, service_control: ServiceControl, how: str
) -> None:
    await record(isolated_redis, "click", 1)
    await emptied(isolated_redis)
    await (service_control.kill("olap") if how == "kill" else service_control.stop("olap"))
    await record(isolated_redis, "click", 2)
    assert await isolated_redis.xlen(STREAM) == 1
    await service_control.start("olap")
    await emptied(isolated_redis)
    assert await store.counts() == {"click": 2}


@pytest.mark.usefixtures("worker")
async def test_without_redis_the_worker_waits(
    isolated_redis: IsolatedRedis, store: EventStore, service_control: ServiceControl
) -> None:
    await record(isolated_redis, "click", 1)
    await emptied(isolated_redis)
    await service_control.kill("cache")
    await service_control.start("cache")  # empty: it keeps nothing on disk
    await record(isolated_redis, "click", 2)
    await emptied(isolated_redis)
    assert await store.counts() == {"click": 2}


async def test_program_says_what_it_lacks() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CLICKHOUSE_URL"}
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "analytics.worker", env=environment, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(TIMEOUT_S):
        _, stderr = await program.communicate()
    assert program.returncode == 2
    assert b"set CLICKHOUSE_URL in the environment" in stderr
