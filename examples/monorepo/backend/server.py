"""The backend as a program: `python -m backend.server --port 8080 --chat-port 8081`.

    GET  /health                                  200
    GET  /api/users/{id}                          200 {"user_id", "email"}
    GET  /api/threads                             200 {"threads": [{"thread_id", "title", "last_number", "unread"}]}
    POST /api/threads  {"title", "members"}       201 {"thread_id", "title"}; whoever asks is a member, too
    GET  /api/threads/{id}/messages?after=&limit= 200 {"messages": […]}
    WS   /ws, on the chat's port                  see `frames` for what is sent, `connection` for what comes

All but /health want an access token of the auth service as `Authorization: Bearer`; /ws takes `?token=`, too. While
PostgreSQL or Redis cannot be reached, what needs it is answered with 503. Any number of these programs may serve the
same users. Configured by DATABASE_URL, REDIS_URL and AUTH_SIGNING_KEY, the auth service's.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from auth.tokens import AccessTokens, Clock
from backend.api import BackendApi
from backend.chat import ChatService
from backend.chat_server import ChatServer
from backend.fanout import listen
from backend.hub import Hub
from web.json_http import port_of, start_server
from web.program import required_environment, serve_until_told
from web.stores import open_stores
from web.tasks import end_task


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where a backend listens.

    Attributes:
        http: base URL of the API.
        chat: URL of the WebSocket.
    """

    http: str
    chat: str

    def __str__(self) -> str:
        """Name both, as the program prints them."""
        return f"{self.http} {self.chat}"


@asynccontextmanager
async def serving(
    *,
    database_url: str,
    redis_url: str,
    key: bytes,
    host: str = "127.0.0.1",
    port: int = 0,
    chat_port: int = 0,
    clock: Clock = time.time,
) -> AsyncIterator[Addresses]:
    """Serve until the context ends.

    Args:
        database_url: of a database with the auth service's migrations and `migrations/` applied.
        redis_url: of the database that holds counters and events.
        key: what the auth service signs tokens with.
        host: address to listen on.
        port: of the API; 0 for any free one.
        chat_port: of the chat; 0 for any free one.
        clock: seconds since the epoch.

    Yields:
        Where it listens.
    """
    hub, tokens = Hub(), AccessTokens(key, clock=clock)
    async with open_stores(database_url=database_url, redis_url=redis_url) as (pool, redis):
        channel = _channel(redis)
        chat = ChatService(pool=pool, redis=redis, hub=hub, channel=channel, clock=clock)
        async with (
            _listening(redis_url, channel, hub),
            await start_server(
                BackendApi(chat=chat, tokens=tokens, pool=pool, redis=redis), host=host, port=port
            ) as api_server,
            await ChatServer(chat=chat, hub=hub, tokens=tokens, clock=clock).start(
                host=host, port=chat_port
            ) as chat_server,
        ):
            chosen = chat_server.sockets[0].getsockname()[1]
            yield Addresses(http=f"http://{host}:{port_of(api_server)}", chat=f"ws://{host}:{chosen}/ws")
            api_server.close()  # stop listening; what is being answered is answered, with the pool still open
            await api_server.wait_closed()


@asynccontextmanager
async def _listening(redis_url: str, channel: str, hub: Hub) -> AsyncIterator[None]:
    """Listen to other processes until the context ends."""
    task = asyncio.create_task(listen(redis_url, channel=channel, receiver=hub), name="fan-out")
    try:
        yield
    finally:
        await end_task(task)


def _channel(redis: Redis) -> str:
    # Channels are the whole server's: the number of the database keeps two deployments on one server apart.
    return f"chat:{redis.connection_pool.connection_kwargs.get('db') or 0}"


def main() -> None:
    """Read arguments and environment, and serve."""
    parser = argparse.ArgumentParser(prog="backend.server", description="Threads over HTTP, chat over WebSocket.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port of the API; 0, the default, takes a free one")
    parser.add_argument("--chat-port", type=int, default=0, help="port of the chat; 0, the default, takes a free one")
    arguments = parser.parse_args()
    database_url, redis_url, key = required_environment(parser, "DATABASE_URL", "REDIS_URL", "AUTH_SIGNING_KEY")
    server = serving(
        database_url=database_url,
        redis_url=redis_url,
        key=key.encode(),
        host=arguments.host,
        port=arguments.port,
        chat_port=arguments.chat_port,
    )
    asyncio.run(serve_until_told("backend", server))


if __name__ == "__main__":
    main()
