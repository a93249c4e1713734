"""The chat's port: who may open a WebSocket, and what happens to it then.

A handshake is refused with an HTTP status: 401 without a good token, 503 while PostgreSQL cannot be reached.
"""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from auth.errors import AuthError
from auth.tokens import AccessClaims, AccessTokens, Clock
from backend.chat import ChatService
from backend.connection import ChatConnection
from backend.hub import Hub
from backend.identity import identify
from web.json_http import HttpError, read_query
from web.stores import OUT_OF_REACH

_FRAME_MAX_BYTES = 64 * 1024

_logger = logging.getLogger(__name__)


class _Socket(ServerConnection):
    """A connection that knows whose it is, once the handshake is done."""

    claims: AccessClaims


class ChatServer:
    """Opens the connections of one port."""

    def __init__(self, *, chat: ChatService, hub: Hub, tokens: AccessTokens, clock: Clock) -> None:
        """Keep the parts.

        Args:
            chat: the operations.
            hub: where connections are joined.
            tokens: says whose a token is.
            clock: seconds since the epoch.
        """
        self._chat = chat
        self._hub = hub
        self._tokens = tokens
        self._clock = clock

    async def start(self, *, host: str, port: int) -> Server:
        """Listen; port 0 takes any free one."""
        return await serve(
            self._serve,
            host,
            port,
            process_request=self._admit,
            create_connection=_Socket,
            max_size=_FRAME_MAX_BYTES,
        )

    async def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Let a handshake go on, or refuse it."""
        assert isinstance(socket, _Socket)  # by `create_connection`
        path, _, query = request.path.partition("?")
        if path != "/ws":
            return socket.respond(HTTPStatus.NOT_FOUND, "the chat is at /ws\n")
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        try:
            socket.claims = identify(self._tokens, headers=headers, query=read_query(query))
            if await self._chat.user(socket.claims.user_id) is None:
                return socket.respond(HTTPStatus.UNAUTHORIZED, "session_ended: the account is gone\n")
        except AuthError as error:
            return socket.respond(HTTPStatus.UNAUTHORIZED, f"{error.code}: {error}\n")
        except HttpError as error:
            return socket.respond(error.response.status, f"{error}\n")
        except OUT_OF_REACH as cause:
            _logger.warning("handshake refused: %r", cause)
            return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable: try again later\n")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        assert isinstance(socket, _Socket)
        connection = ChatConnection(socket, claims=socket.claims, chat=self._chat, clock=self._clock)
        # Joined before it looks where its threads are: no message can fall between the two.
        with self._hub.joined(connection):
            await self._chat.note_connected(connection.user_id, id=f"chat:{secrets.token_hex(8)}")
            await connection.run()
