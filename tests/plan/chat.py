"""The plan's backend: a WebSocket at /ws?token=… for those whom the auth service has logged in, and GET /health.

{"type": "chat", "message": TEXT}    {"type": "chat_response", "message": TEXT, "to": EMAIL}
{"type": "onboarding_start"}         {"type": "onboarding_step", "step": 1}
"""

from __future__ import annotations

import asyncio
import http
import json
import os
import signal
import sys
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import Redis
from websockets.asyncio.server import serve

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response


class Chat:
    """Answers messages."""

    def __init__(self, tokens: Redis) -> None:
        self._tokens = tokens

    async def check(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let only those in who have a token."""
        url = urlsplit(request.path)
        if url.path == "/health":
            return connection.respond(http.HTTPStatus.OK, "ok\n")
        token = parse_qs(url.query).get("token", [""])[0]
        email = await self._tokens.get(f"token:{token}")
        if url.path != "/ws" or email is None:
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "log in first\n")
        connection.username = str(email)
        return None

    async def talk(self, connection: ServerConnection) -> None:
        """Answer every message of a connection."""
        async for text in connection:
            message = json.loads(text)
            if message["type"] == "chat":
                answer = {"type": "chat_response", "message": message["message"], "to": connection.username}
            elif message["type"] == "onboarding_start":
                answer = {"type": "onboarding_step", "step": 1}
            else:
                answer = {"type": "error", "unknown": message["type"]}
            await connection.send(json.dumps(answer))


async def main(port: int) -> None:
    """Serve on a port until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with Redis.from_url(os.environ["REDIS_URL"], decode_responses=True) as tokens:
        chat = Chat(tokens)
        async with serve(chat.talk, "127.0.0.1", port, process_request=chat.check):
            await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[sys.argv.index("--port") + 1])))
