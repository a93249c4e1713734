"""What the tests of this folder share: people who have signed up at the auth service, and a client of the chat.

Nothing stands in for a service here: PostgreSQL and Redis are real, and come from fixtures of `realservices`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from httpx import AsyncClient
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from auth.database import Connection
from auth.testing import ManualClock, auth_service

TIMEOUT_S = 10


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with an account.

    Attributes:
        id: of the user.
        token: an access token.
    """

    id: int
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What proves who they are, over HTTP."""
        return {"Authorization": f"Bearer {self.token}"}


async def sign_up(email: str, *, database: Connection, redis: Redis, clock: ManualClock) -> Person:
    """Make an account, as the auth service does it."""
    grant = await auth_service(database, redis, clock).sign_up(email=email, password="password123")
    return Person(id=grant.user_id, token=grant.access_token)


async def create_thread(client: AsyncClient, creator: Person, *members: Person) -> int:
    """Start a thread over HTTP; return its id."""
    content = {"title": "Hello", "members": [member.id for member in members]}
    reply = await client.post("/api/threads", json=content, headers=creator.headers)
    assert reply.status_code == 201, reply.text
    thread_id: int = reply.json()["thread_id"]
    return thread_id


class ChatClient:
    """One WebSocket of a test. What comes is sorted by type: an ack and a message may overtake each other."""

    def __init__(self, socket: ClientConnection) -> None:
        """Use an open WebSocket."""
        self.socket = socket
        self.welcome: dict[str, Any] = {}
        self._waiting: defaultdict[str, deque[dict[str, Any]]] = defaultdict(deque)

    async def send(self, **frame: Any) -> None:
        """Send a frame."""
        await self.socket.send(json.dumps(frame))

    async def chat(self, thread_id: int, text: str, **more: Any) -> int:
        """Send a message; return the number that it is stored under."""
        await self.send(type="chat", thread_id=thread_id, text=text, **more)
        number: int = (await self.receive("ack"))["number"]
        return number

    async def receive(self, kind: str) -> dict[str, Any]:
        """Return the next frame of a type."""
        async with asyncio.timeout(TIMEOUT_S):
            while not self._waiting[kind]:
                frame = json.loads(await self.socket.recv())
                self._waiting[frame["type"]].append(frame)
        return self._waiting[kind].popleft()

    async def receive_messages(self, count: int) -> list[tuple[int, str]]:
        """Return the next messages by number and text."""
        messages = [await self.receive("chat") for _ in range(count)]
        return [(message["number"], message["text"]) for message in messages]

    async def done(self) -> None:
        """Return when all that this client has sent is done with: frames of one client are done one after another."""
        await self.send(type="none such")
        await self.receive("error")

    async def closed(self) -> int:
        """Wait until the server closes the WebSocket; return its code, 1006 if it went without a word."""
        async with asyncio.timeout(TIMEOUT_S):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
        assert self.socket.close_code is not None  # it is closed
        return self.socket.close_code


@asynccontextmanager
async def open_chat(url: str, person: Person) -> AsyncIterator[ChatClient]:
    """Open the chat; messages that are sent from then on arrive."""
    async with connect(url, additional_headers=person.headers, proxy=None, open_timeout=TIMEOUT_S) as socket:
        client = ChatClient(socket)
        client.welcome = await client.receive("welcome")
        yield client


async def refusal(url: str, headers: dict[str, str] | None = None) -> int:
    """Return the HTTP status with which a handshake is refused; 0 if it is not."""
    try:
        async with connect(url, additional_headers=headers, proxy=None, open_timeout=TIMEOUT_S):
            return 0
    except InvalidStatus as refused:
        return refused.response.status_code
