"""One client of the chat. Every message of its threads reaches it once and in order, whatever it heard of and when.

For each thread it knows the number up to which the client has everything. A message with the next number is passed on;
one with an older number has been before; one from further on means that others were missed, and those are read from
PostgreSQL.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from auth.tokens import AccessClaims, Clock
from backend.chat import ChatService
from backend.errors import BackendError, UnknownThreadError
from backend.frames import Chat, Read, read_frame
from backend.messages import Message, to_frame
from web.stores import OUT_OF_REACH

TOKEN_EXPIRED = 4401  # from 4000 on, codes are the application's own (RFC 6455, 7.4.2)
_INBOX_MESSAGES = 1000

_logger = logging.getLogger(__name__)


class ChatConnection:
    """Passes messages on to a client, and does what it asks for."""

    def __init__(self, socket: ServerConnection, *, claims: AccessClaims, chat: ChatService, clock: Clock) -> None:
        """Keep what it works with.

        Args:
            socket: open.
            claims: of the token that it was opened with.
            chat: the operations.
            clock: seconds since the epoch.
        """
        self._socket = socket
        self._claims = claims
        self._chat = chat
        self._clock = clock
        self._inbox = asyncio.Queue[Message | None](_INBOX_MESSAGES)
        self._passed_on: dict[int, int] = {}

    @property
    def user_id(self) -> int:
        """Whose it is."""
        return self._claims.user_id

    def offer(self, message: Message | None) -> None:
        """Take a message to pass on, in time; None: look for any that were missed."""
        if self._inbox.full():  # the client is slow: forget what it is owed, it is all in the database
            while not self._inbox.empty():
                self._inbox.get_nowait()
            message = None
        self._inbox.put_nowait(message)

    async def run(self) -> None:
        """Serve the client until it leaves, or has to."""
        try:
            await self._welcome()
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self._write())
                await self._read()
                writing.cancel()
        except ConnectionClosed:
            pass  # the client has left; there is nobody to tell
        except OUT_OF_REACH as cause:
            await self._try_again_later(cause)

    async def _welcome(self) -> None:
        """Say where the client is; what comes after that is passed on."""
        threads = await self._chat.threads(self.user_id)
        self._passed_on = {thread.id: thread.last_number for thread in threads}
        known = [{"thread_id": thread.id, "last_number": thread.last_number} for thread in threads]
        await self._send({"type": "welcome", "user_id": self.user_id, "threads": known})

    async def _read(self) -> None:
        try:
            async for data in self._socket:
                if await self._is_over():
                    return
                await self._answer(data)
        except ConnectionClosed:
            pass

    async def _answer(self, data: str | bytes) -> None:
        try:
            match read_frame(data):
                case Chat() as chat:
                    await self._post(chat)
                case Read(thread_id=thread_id):
                    await self._chat.unread.clear(user_id=self.user_id, thread_id=thread_id)
        except BackendError as error:
            await self._send({"type": "error", "error": error.code, "message": str(error)})
        except OUT_OF_REACH as cause:
            _logger.warning("frame not done: %r", cause)
            await self._send({"type": "error", "error": "unavailable", "message": "not done; send it again later"})

    async def _post(self, chat: Chat) -> None:
        posted = await self._chat.post(self.user_id, chat)
        message = posted.message
        await self._send(
            {
                "type": "ack",
                "thread_id": message.thread_id,
                "number": message.number,
                "client_id": message.client_id,
            }
        )
        await self._chat.tell(posted)

    async def _write(self) -> None:
        try:
            while True:
                message = await self._inbox.get()
                if await self._is_over():
                    return
                if message is None:
                    await self._catch_up()
                else:
                    await self._pass_on(message)
        except ConnectionClosed:
            pass
        except OUT_OF_REACH as cause:
            await self._try_again_later(cause)

    async def _pass_on(self, message: Message) -> None:
        have = self._passed_on.get(message.thread_id, 0)
        if message.number == have + 1:
            await self._send_message(message)
        elif message.number > have:
            await self._send_missed(message.thread_id, upto=message.number)

    async def _catch_up(self) -> None:
        for thread in await self._chat.threads(self.user_id):
            await self._send_missed(thread.id, upto=thread.last_number)

    async def _send_missed(self, thread_id: int, *, upto: int) -> None:
        while (have := self._passed_on.get(thread_id, 0)) < upto:
            try:
                missed = await self._chat.messages(self.user_id, thread_id=thread_id, after=have)
            except UnknownThreadError:
                return  # the thread is gone meanwhile
            for message in missed:
                await self._send_message(message)

    async def _send_message(self, message: Message) -> None:
        await self._send(to_frame(message))
        self._passed_on[message.thread_id] = message.number

    async def _send(self, frame: dict[str, Any]) -> None:
        await self._socket.send(json.dumps(frame))

    async def _is_over(self) -> bool:
        """Close a connection whose token has expired: it must not be worth more than a new one."""
        if self._claims.expires_at > self._clock():
            return False
        await self._socket.close(TOKEN_EXPIRED, "access token has expired")
        return True

    async def _try_again_later(self, cause: BaseException) -> None:
        """Close a connection that may have missed something: the client comes again, and asks for it."""
        _logger.warning("chat of user %d ended: %r", self.user_id, cause)
        await self._socket.close(CloseCode.TRY_AGAIN_LATER, "a service that this one needs cannot be reached")
