"""Events of keys, where the service's settings have the server send them; they bear the test's database index."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.realservices(redis="events")
@pytest.mark.parametrize("again", range(2))
async def test_events_of_the_tests_own_database(isolated_redis: Any, again: int) -> None:
    async with isolated_redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.psubscribe(f"__keyevent@{isolated_redis.database_index}__:*")
        await pubsub.get_message(timeout=5)
        await isolated_redis.set(f"key {again}", "1")
        message = await pubsub.get_message(timeout=5)
    assert (message["channel"].rpartition(":")[2], message["data"]) == ("set", f"key {again}")
