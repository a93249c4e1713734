"""Typed clients of an auth service, a backend, and its WebSocket: thin, on `realservices.clients`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realservices.clients.errors import HttpBodyError
from realservices.clients.http_client import HttpClient
from realservices.clients.websocket import WebSocketClient

if TYPE_CHECKING:
    from realservices.clients.message_inbox import Message

_TOKEN = "access_token"


@dataclass(frozen=True, slots=True)
class RegisteredUser:
    """A user whom the auth service has registered.

    Attributes:
        email: The address, as the service gives it, else as it was given.
        id: `user_id`, or `id`, of the answer; None: it has none.
        answer: The whole answer.
    """

    email: str
    id: Any
    answer: dict[str, Any]


class AuthTestClient(HttpClient):
    """Registers users and logs them in, by ``POST /auth/signup`` and ``POST /auth/login`` (clients/http_client.py)."""

    async def register(self, email: str, password: str, **fields: Any) -> RegisteredUser:
        """Sign up.

        Raises:
            HttpStatusError: The service refused.
            HttpBodyError: It did not answer with a JSON object.
        """
        answer = await self.auth_signup(email, password, **fields)
        user = answer["user"] if isinstance(answer.get("user"), dict) else answer
        return RegisteredUser(str(user.get("email", email)), user.get("user_id", user.get("id")), answer)

    async def login(self, email: str, password: str, **fields: Any) -> str:
        """Log in and return the access token, which this client sends from now on, too.

        Raises:
            HttpStatusError: The service refused.
            HttpBodyError: Its answer has no token.
        """
        answer = await self.auth_login(email, password, **fields)
        if _TOKEN not in self.tokens:
            raise HttpBodyError(
                f"POST /auth/login of {self._shown} was answered without a text {_TOKEN!r}; the answer has "
                f"{', '.join(answer) or 'nothing'}"
            )
        return self.tokens[_TOKEN]


class BackendTestClient(HttpClient):
    """Asks the backend, with an access token if `use_token` was called."""

    def use_token(self, token: str) -> None:
        """Send this access token from now on."""
        self.tokens = {_TOKEN: token}


class WebSocketTestClient(WebSocketClient):
    """Speaks with the backend over a WebSocket, in JSON objects."""

    async def connect(self) -> None:
        """Connect, unless it is connected.

        Raises:
            WebSocketConnectError: The server cannot be reached, or refuses.
        """
        await self._connected()

    async def send(self, message: Message) -> None:
        """Send an object; see `send_message`."""
        await self.send_message(message)

    async def send_chat(self, text: str, **fields: Any) -> None:
        """Send ``{"type": "chat", "message": text}``.

        Args:
            text: What is said.
            fields: More for the object.
        """
        await self.send_message({"type": "chat", "message": text, **fields})

    async def receive(self, timeout: float = 5.0, *, type: str | None = None) -> Message:  # noqa: A002
        """Return the next object; see `receive_message`."""
        return await self.receive_message(timeout, type=type)
