"""Messages from one backend process to all others, through a publish/subscribe channel in Redis.

A channel forgets what nobody hears, so it only brings messages early. Which ones a client is owed is known from their
numbers (`connection`); what was missed while Redis was down is read from PostgreSQL.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from backend.messages import Message, from_frame, to_frame
from web.stores import OUT_OF_REACH

_RETRY_S = 0.1

_logger = logging.getLogger(__name__)


class Receiver(Protocol):
    """Whoever passes messages on to this process's clients."""

    def deliver(self, message: Message, members: Iterable[int]) -> None:
        """A message for these users."""

    def catch_up(self) -> None:
        """There may have been messages that nobody told of."""


def announce(pipe: Pipeline, *, channel: str, message: Message, members: Iterable[int]) -> None:
    """Tell all processes of a message, when the pipeline is executed."""
    pipe.publish(channel, json.dumps({"message": to_frame(message), "members": list(members)}))


async def listen(redis_url: str, *, channel: str, receiver: Receiver) -> None:
    """Pass on what is announced, for ever; comes back by itself when Redis does.

    Args:
        redis_url: where the channel is.
        channel: its name.
        receiver: gets the messages, and is told to catch up whenever some may have been missed.
    """
    while True:
        try:
            await _listen(redis_url, channel, receiver)
        except OUT_OF_REACH as cause:
            _logger.warning("%s: out of reach: %r", channel, cause)
        await asyncio.sleep(_RETRY_S)


async def _listen(redis_url: str, channel: str, receiver: Receiver) -> None:
    # No retries: a client that subscribes again behind our back would not tell that it missed something.
    async with (
        Redis.from_url(redis_url, decode_responses=True, retry=Retry(NoBackoff(), retries=0)) as client,
        client.pubsub() as subscription,
    ):
        await subscription.subscribe(channel)
        async for heard in subscription.listen():
            if heard["type"] == "subscribe":
                receiver.catch_up()
            else:
                content = json.loads(heard["data"])
                receiver.deliver(from_frame(content["message"]), content["members"])
