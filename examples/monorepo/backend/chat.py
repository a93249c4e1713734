"""What the chat does, whoever asks: store a message and tell of it. One object for all connections of a process."""

from __future__ import annotations

import logging
import time

import asyncpg
from redis.asyncio import Redis

from auth.tokens import Clock
from auth.users import User, Users
from backend import events
from backend.fanout import announce
from backend.frames import Chat
from backend.hub import Hub
from backend.messages import Message
from backend.threads import Posted, Thread, Threads
from backend.unread import Unread, count_unread
from web.stores import OUT_OF_REACH

_PAGE = 500

_logger = logging.getLogger(__name__)


class ChatService:
    """The operations on threads, with the stores behind them."""

    def __init__(self, *, pool: asyncpg.Pool, redis: Redis, hub: Hub, channel: str, clock: Clock = time.time) -> None:
        """Put the parts together.

        Args:
            pool: connections to the database that holds users and threads.
            redis: a client on the database that holds counters and events.
            hub: the connections of this process.
            channel: of publish/subscribe, where the other processes listen.
            clock: seconds since the epoch.
        """
        self._pool = pool
        self._redis = redis
        self._hub = hub
        self._channel = channel
        self._clock = clock
        self.unread = Unread(redis)

    async def post(self, sender_id: int, chat: Chat) -> Posted:
        """Store a message. It is kept from then on; telling others of it is `tell`'s.

        Raises:
            UnknownThreadError: not a thread of the sender's.
        """
        async with self._pool.acquire() as connection:
            return await Threads(connection).post(
                thread_id=chat.thread_id, sender_id=sender_id, text=chat.text, client_id=chat.client_id
            )

    async def tell(self, posted: Posted) -> None:
        """Tell members of a message: those of this process even without Redis, others as soon as it is there again.

        A message that was sent twice is told of twice, in case the first time failed; nobody gets it twice.
        """
        message, sender_id = posted.message, posted.message.sender_id
        assert sender_id is not None  # they have just sent it
        self._hub.deliver(message, posted.members)
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                if posted.is_new:
                    count_unread(pipe, thread_id=message.thread_id, readers=posted.members - {sender_id})
                announce(pipe, channel=self._channel, message=message, members=posted.members)
                name = f"message:{message.thread_id}:{message.number}"
                events.record(pipe, id=name, event="message_sent", user_id=sender_id, at=message.sent_at.timestamp())
                await pipe.execute()
        except OUT_OF_REACH as cause:
            _logger.warning("message %d of thread %d not announced: %r", message.number, message.thread_id, cause)

    async def create_thread(self, creator_id: int, *, title: str, members: list[int]) -> Thread:
        """Start a thread of the creator and others.

        Raises:
            UnknownUserError: a member does not exist.
        """
        async with self._pool.acquire() as connection:
            return await Threads(connection).create(title=title, members=[creator_id, *members])

    async def threads(self, user_id: int) -> list[Thread]:
        """List a user's threads."""
        async with self._pool.acquire() as connection:
            return await Threads(connection).of_member(user_id)

    async def messages(self, user_id: int, *, thread_id: int, after: int, limit: int = _PAGE) -> list[Message]:
        """List messages of a thread of the user's, from after a number on.

        Raises:
            UnknownThreadError: not a thread of the user's.
        """
        async with self._pool.acquire() as connection:
            return await Threads(connection).messages(
                thread_id=thread_id, reader_id=user_id, after=after, limit=min(limit, _PAGE)
            )

    async def user(self, user_id: int) -> User | None:
        """Look a user up."""
        async with self._pool.acquire() as connection:
            return await Users(connection).find(user_id)

    async def note_connected(self, user_id: int, *, id: str) -> None:  # noqa: A002  # as in `events`
        """Record for analytics that somebody has come."""
        try:
            async with self._redis.pipeline() as pipe:
                events.record(pipe, id=id, event="chat_opened", user_id=user_id, at=self._clock())
                await pipe.execute()
        except OUT_OF_REACH as cause:
            _logger.warning("event not recorded: %r", cause)
