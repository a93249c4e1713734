"""How many messages of a thread a user has not read: counters in Redis, one hash per user.

They are for a badge on a screen. A message that is stored while Redis is down is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline


class Unread:
    """The counters."""

    def __init__(self, redis: Redis) -> None:
        """Keep the client."""
        self._redis = redis

    async def of(self, user_id: int) -> dict[int, int]:
        """Return a user's counters by thread; a thread with nothing unread may be missing."""
        counters = await self._redis.hgetall(unread_key(user_id))
        return {int(thread): int(count) for thread, count in counters.items()}

    async def clear(self, *, user_id: int, thread_id: int) -> None:
        """Note that a user has read a thread."""
        await self._redis.hdel(unread_key(user_id), str(thread_id))


def count_unread(pipe: Pipeline, *, thread_id: int, readers: Iterable[int]) -> None:
    """Add one message to what each reader has not read, when the pipeline is executed."""
    for reader in readers:
        pipe.hincrby(unread_key(reader), str(thread_id), 1)


def unread_key(user_id: int) -> str:
    """The Redis key of a user's counters."""
    return f"unread:{user_id}"
