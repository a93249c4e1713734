"""The typed clients: what they make of a service's answers."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from realservices.client_factory import AuthTestClient, RegisteredUser
from realservices.clients.errors import HttpBodyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def _served(answer: Any) -> AsyncIterator[AuthTestClient]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        content = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + content)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AuthTestClient(f"http://127.0.0.1:{port}", service="auth") as client:
        yield client


@pytest.mark.parametrize(
    ("answer", "email", "identity"),
    [
        ({"user_id": 7}, "Ada@example.com", 7),
        ({"id": "u7", "email": "ada@example.com"}, "ada@example.com", "u7"),
        ({"user": {"id": 7, "email": "ada@example.com"}, "access_token": "t"}, "ada@example.com", 7),
        ({}, "Ada@example.com", None),
    ],
)
async def test_a_registered_user(answer: dict[str, Any], email: str, identity: object) -> None:
    async with _served(answer) as client:
        assert await client.register("Ada@example.com", "secret") == RegisteredUser(email, identity, answer)


async def test_a_login_without_a_token() -> None:
    async with _served({"token": "t", "refresh_token": "r"}) as client:
        with pytest.raises(
            HttpBodyError, match=r"service 'auth' at .* answered without a text 'access_token'; .* has token, "
        ):
            await client.login("ada@example.com", "secret")
