"""What a WebSocket client has received: messages go to the handler of their type, else wait to be fetched.

What goes wrong while a message is taken is kept and raised in the test, by its next call of the client.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from realservices.clients.errors import WebSocketMessageError, shown_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Message = dict[str, Any]
    Handler = Callable[[Message], Message | Awaitable[Message | None] | None]
    Send = Callable[[str], Awaitable[None]]

_SHOWN_MESSAGES = 10


class MessageInbox:
    """Takes what arrives and gives it out again.

    Args:
        shown: How messages name the server.

    Attributes:
        handlers: By type.
    """

    def __init__(self, shown: str) -> None:
        self.handlers: dict[str, Handler] = {}
        self._shown = shown
        self._waiting: deque[Message] = deque()
        self._handled: deque[Message] = deque(maxlen=_SHOWN_MESSAGES)
        self._failures: deque[BaseException] = deque()
        self._changed = asyncio.Event()

    async def take(self, data: str | bytes, send: Send) -> None:
        """Take one message, and send what its handler answers."""
        try:
            message = self._decode(data)
            handler = self.handlers.get(str(message.get("type")))
            if handler is None:
                self._waiting.append(message)
            else:
                self._handled.append(message)
                await self._handle(handler, message, send)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - pytest.fail() raises none of Exception; the test gets it
            self._failures.append(error)
        self.wake()

    def fetch(self, message_type: str | None) -> Message | None:
        """Return the oldest message, or the oldest of a type, if there is one."""
        for message in self._waiting:
            if message_type is None or message.get("type") == message_type:
                self._waiting.remove(message)
                self._handled.clear()
                return message
        return None

    def raise_failure(self) -> None:
        """Raise what went wrong, if something did that has not been raised yet."""
        if self._failures:
            raise self._failures.popleft()

    def wake(self) -> None:
        """Let whoever waits for a change look again."""
        self._changed.set()

    async def wait(self) -> None:
        """Wait for the next change."""
        self._changed.clear()
        await self._changed.wait()

    def describe(self) -> str:
        """Say what has arrived besides what was waited for, in lines that end a message."""
        return (
            f"\n  went to handlers since the last message: {_shown_all(self._handled)}"
            f"\n  still to be received: {_shown_all(self._waiting)}"
        )

    def _decode(self, data: str | bytes) -> Message:
        if isinstance(data, bytes):
            raise WebSocketMessageError(
                f"{self._shown} sent a binary message of {len(data)} bytes, which begins with {data[:32]!r}; this "
                "client reads JSON objects in text: use websockets.asyncio.client.connect for a binary protocol"
            )
        try:
            message = json.loads(data)
        except ValueError as error:
            raise WebSocketMessageError(f"{self._shown} sent what is not JSON ({error}): {shown_body(data)}") from None
        if not isinstance(message, dict):
            raise WebSocketMessageError(f"{self._shown} sent JSON that is not an object: {shown_body(data)}")
        return message

    async def _handle(self, handler: Handler, message: Message, send: Send) -> None:
        try:
            answer = handler(message)
            if inspect.isawaitable(answer):
                answer = await answer
            if answer is None:
                return
            if not isinstance(answer, dict):
                raise TypeError(f"expected a dict to send back, or None; the handler returned {answer!r}")
            await send(json.dumps(answer))
        except BaseException as error:
            error.add_note(f"in the handler of {message.get('type')!r} for {_shown(message)} from {self._shown}")
            raise


def _shown_all(messages: deque[Message]) -> str:
    shown = "".join(f"\n    {_shown(message)}" for message in list(messages)[-_SHOWN_MESSAGES:])
    return shown or "nothing"


def _shown(message: Message) -> str:
    return shown_body(json.dumps(message))
