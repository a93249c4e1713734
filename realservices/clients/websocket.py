"""WebSocket client of a test: JSON objects to and from a real server, with handlers by message type.

A reader task takes what arrives (message_inbox.py). It runs in the context in which the client was made, and with it
all that the library starts for the connection: they belong to the fixture, not to the test that first used the client.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from typing import TYPE_CHECKING, Any, Self

from realservices.clients.addresses import shown_service
from realservices.clients.errors import (
    WebSocketClosedError,
    WebSocketConnectError,
    WebSocketError,
    WebSocketTimeoutError,
)
from realservices.clients.message_inbox import MessageInbox
from realservices.clients.websocket_connection import close_state, closed_exception, describe_failure, open_connection

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from realservices.clients.message_inbox import Handler, Message

_CONNECT_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 2.0


class WebSocketClient:
    """Talks to one server.

    Connected at the first send or receive. Where the server has closed the connection, `send_message` connects anew,
    once per call; `receive_message` does not, because what it waits for went to the old connection: it raises.

    Args:
        url: For example ``ws://127.0.0.1:8080/ws``.
        token: Sent as ``Authorization: Bearer`` when connecting.
        service: The service's name, for messages.
        connect_timeout_s: How long a connection may take.
        close_timeout_s: How long the server may take to close, after which the connection is cut.
        options: More for `websockets.asyncio.client.connect`.

    Attributes:
        connections: How many connections have been made: more than one after a reconnect.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        service: str = "",
        connect_timeout_s: float = _CONNECT_TIMEOUT_S,
        close_timeout_s: float = _CLOSE_TIMEOUT_S,
        **options: Any,
    ) -> None:
        self.url = url
        self.token = token
        self.connections = 0
        self._shown = shown_service(service, url)
        self._options = {"open_timeout": connect_timeout_s, "close_timeout": close_timeout_s, **options}
        self._context = contextvars.copy_context()
        self._inbox = MessageInbox(self._shown)
        self._connecting = asyncio.Lock()
        self._connection: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    def register_message_handler(self, message_type: str, handler: Handler) -> None:
        """Give messages of a type (their field ``type``) to ``handler`` instead of `receive_message`.

        Args:
            message_type: The type.
            handler: A function or coroutine function. What it returns is sent back; None sends nothing. Handlers run
                one after the other; one must not wait for a message itself. What it raises, an assertion for example,
                is raised again by the next `send_message`, `receive_message` or `close`.
        """
        self._inbox.handlers[message_type] = handler

    async def send_message(self, message: Message) -> None:
        """Send a JSON object, connecting if need be.

        Raises:
            WebSocketConnectError: The server cannot be reached.
            WebSocketClosedError: It closed the new connection, too.
        """
        text = json.dumps(message)
        self._inbox.raise_failure()
        connection = await self._connected()
        try:
            await connection.send(text)
        except closed_exception():
            await self.reconnect()
            await self._send(text)

    async def receive_message(self, timeout: float = 5.0, *, type: str | None = None) -> Message:  # noqa: A002
        """Return the next message, or the next of a type, that no handler takes.

        Args:
            timeout: Seconds.
            type: Leave messages of other types for later.

        Raises:
            WebSocketTimeoutError: None came in time.
            WebSocketClosedError: The server closed the connection, and all messages have been returned.
            WebSocketMessageError: Something came that is not a JSON object in text.
        """
        self._inbox.raise_failure()
        if self._connection is None:
            await self._connected()
        try:
            async with asyncio.timeout(timeout) as deadline:
                return await self._next(type)
        except TimeoutError:
            if not deadline.expired():
                raise  # A handler's own.
            wanted = f"no message of type {type!r}" if type else "no message"
            raise WebSocketTimeoutError(
                f"{wanted} from {self._shown} within {timeout:g} s{self._inbox.describe()}\n  the connection is open"
            ) from None

    async def reconnect(self) -> None:
        """Close the connection and make a new one. Messages that have been received stay to be returned."""
        self._check_open()
        await self._disconnect()
        await self._connected()

    async def close(self) -> None:
        """Close the connection, within the close time-out, and end the reader. No task is left.

        Raises:
            BaseException: What a handler raised and no call has raised yet.
        """
        self._closed = True
        await self._disconnect()
        self._inbox.wake()
        self._inbox.raise_failure()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            await self.close()
        except BaseException as failure:
            if error is None:
                raise
            error.add_note(f"and a handler of the WebSocket failed: {failure!r}")

    async def _connected(self) -> ClientConnection:
        self._check_open()
        async with self._connecting:
            if self._connection is None or self._reader is None or self._reader.done():
                # In the client's context; see the module's docstring.
                return await asyncio.get_running_loop().create_task(self._open(), context=self._context)
            return self._connection

    async def _open(self) -> ClientConnection:
        try:
            self._connection = connection = await open_connection(self.url, self.token, self._options)
        except Exception as error:
            raise WebSocketConnectError(await describe_failure(self._shown, self.url, error)) from error
        self.connections += 1
        self._reader = asyncio.create_task(self._read(connection), name=f"reader of {self._shown}")
        return connection

    async def _disconnect(self) -> None:
        reader, self._reader = self._reader, None
        if self._connection is not None:
            await self._connection.close()
        if reader is not None and reader is not asyncio.current_task():
            reader.cancel()
            _, deaf = await asyncio.wait([reader], timeout=_CLOSE_TIMEOUT_S)
            if deaf:
                raise WebSocketError(f"a handler of {self._shown} does not end when cancelled; it still runs")

    async def _read(self, connection: ClientConnection) -> None:
        try:
            while True:
                await self._inbox.take(await connection.recv(), self._send)
        except closed_exception():
            pass  # The connection knows code and reason.
        finally:
            self._inbox.wake()

    async def _send(self, text: str) -> None:
        # Of a handler, or after a reconnect: here no new connection is tried.
        connection = self._connection
        try:
            if connection is not None:
                await connection.send(text)
        except closed_exception():
            raise self._closed_error(f"had closed the connection before {text[:200]} was sent") from None

    async def _next(self, message_type: str | None) -> Message:
        while True:
            self._inbox.raise_failure()
            message = self._inbox.fetch(message_type)
            if message is not None:
                return message
            self._check_open()
            if self._reader is None or self._reader.done():
                raise self._closed_error("has closed the connection")
            await self._inbox.wait()

    def _check_open(self) -> None:
        if self._closed:
            raise WebSocketError(f"the WebSocket client of {self._shown} is closed; do not keep it beyond its test")

    def _closed_error(self, what: str) -> WebSocketClosedError:
        code, reason = close_state(self._connection)
        return WebSocketClosedError(
            f"{self._shown} {what}: code {code}, reason {reason!r}{self._inbox.describe()}\n"
            "  `await reconnect()` makes a new connection; the server's log may say why it closed this one",
            code,
            reason,
        )
