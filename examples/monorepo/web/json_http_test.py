"""HTTP as it comes over a socket, also as no library would send it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from web.json_http import HttpError, Request, Response, port_of, start_server

TIMEOUT_S = 20


async def echo(request: Request) -> Response:
    """Say what came, or fail as the path says."""
    match request.path:
        case "/teapot":
            raise HttpError(HTTPStatus.IM_A_TEAPOT, "short and stout", code="teapot", Retry_After="60")
        case "/reset":
            raise ConnectionResetError("by a service behind this one, not by the client")
        case "/bug":
            raise KeyError("secret")
        case "/nothing":
            return Response(status=HTTPStatus.NO_CONTENT)
    content = {"method": request.method, "path": request.path, "query": request.query, "body": request.body.decode()}
    return Response(content=content)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where a server listens."""
    async with await start_server(echo, host="127.0.0.1", port=0) as server:
        yield port_of(server)


async def send(port: int, request: bytes) -> tuple[int, str, str]:
    """Send bytes as they are; return the answer's status, head and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(TIMEOUT_S):
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split(" ", 2)[1]), head, body


async def test_request_is_read_and_answered(port: int) -> None:
    status, head, body = await send(port, b"POST /a/b?c=d%26&e HTTP/1.1\r\ncontent-LENGTH:  5 \r\nX: y\r\n\r\nhello")
    assert status == 200
    assert body == '{"method": "POST", "path": "/a/b", "query": {"c": "d&", "e": ""}, "body": "hello"}'
    assert f"Content-Length: {len(body)}" in head
    assert "Content-Type: application/json" in head


async def test_request_may_arrive_in_pieces(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for byte in b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello":
        writer.write(bytes([byte]))
        await writer.drain()
    async with asyncio.timeout(TIMEOUT_S):
        assert b'"body": "hello"' in await reader.read()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"GET /?" + b"a&" * 200 + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200_000, 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_odd_requests(port: int, request_bytes: bytes, expected: int) -> None:
    status, head, _ = await send(port, request_bytes)
    assert status == expected
    assert "Connection: close" in head


async def test_refusal_says_what_the_handler_said(port: int) -> None:
    status, head, body = await send(port, b"GET /teapot HTTP/1.1\r\n\r\n")
    assert (status, body) == (418, '{"error": "teapot", "message": "short and stout"}')
    assert "Retry-After: 60" in head


@pytest.mark.parametrize("path", [b"/reset", b"/bug"])
async def test_failure_is_answered_and_tells_nothing(port: int, path: bytes, caplog: pytest.LogCaptureFixture) -> None:
    status, _, body = await send(port, b"GET " + path + b" HTTP/1.1\r\n\r\n")
    assert (status, body) == (500, '{"error": "internal_error", "message": "internal error"}')
    assert [record.message for record in caplog.records] == ["request failed"]


async def test_no_content_has_no_length(port: int) -> None:
    status, head, body = await send(port, b"DELETE /nothing HTTP/1.1\r\n\r\n")
    assert (status, body) == (204, "")
    assert "Content-" not in head


async def test_client_that_leaves_halfway_harms_nobody(port: int, caplog: pytest.LogCaptureFixture) -> None:
    for started in (b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(started)
        writer.close()
        await writer.wait_closed()
    assert (await send(port, b"GET / HTTP/1.1\r\n\r\n"))[0] == 200
    assert caplog.records == []
