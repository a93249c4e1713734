"""Counters in a real Redis, each test in a database of its own."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from backend.unread import Unread, count_unread

pytestmark = pytest.mark.requires_redis


@pytest.fixture
def unread(isolated_redis: Redis) -> Unread:
    return Unread(isolated_redis)


async def count(redis: Redis, thread_id: int, *readers: int) -> None:
    async with redis.pipeline() as pipe:
        count_unread(pipe, thread_id=thread_id, readers=readers)
        await pipe.execute()


@pytest.mark.parametrize("again", range(2))
async def test_messages_are_counted_by_user_and_thread(unread: Unread, isolated_redis: Redis, again: int) -> None:
    for thread_id, readers in ((7, [1, 2]), (7, [1]), (8, [1])):
        await count(isolated_redis, thread_id, *readers)
    assert (await unread.of(1), await unread.of(2), await unread.of(3)) == ({7: 2, 8: 1}, {7: 1}, {})
    assert await isolated_redis.dbsize() == 2, again


async def test_reading_a_thread_clears_its_counter_only(unread: Unread, isolated_redis: Redis) -> None:
    for thread_id, readers in ((7, [1, 2]), (8, [1])):
        await count(isolated_redis, thread_id, *readers)
    await unread.clear(user_id=1, thread_id=7)
    await unread.clear(user_id=1, thread_id=9)
    assert (await unread.of(1), await unread.of(2)) == ({8: 1}, {7: 1})


async def test_nothing_counts_before_the_pipeline_is_executed(unread: Unread, isolated_redis: Redis) -> None:
    async with isolated_redis.pipeline() as pipe:
        count_unread(pipe, thread_id=7, readers=[1])
    assert await unread.of(1) == {}


async def test_no_count_is_lost_among_many_at_once(unread: Unread, isolated_redis: Redis) -> None:
    await asyncio.gather(*(count(isolated_redis, 7, 1, 2) for _ in range(20)))
    assert (await unread.of(1), await unread.of(2)) == ({7: 20}, {7: 20})
