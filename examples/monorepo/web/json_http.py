"""JSON over HTTP/1.1 on asyncio streams: as much of RFC 9112 as our servers need.

One request per connection (`Connection: close`), bodies by Content-Length only, everything bounded in size and time; a
proxy in front speaks the rest. Not called `http`, which would hide the standard library's from a program run here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl

_HEAD_MAX_BYTES = 16 * 1024
_BODY_MAX_BYTES = 64 * 1024
_QUERY_MAX_FIELDS = 100
_READ_TIMEOUT_S = 10.0
_LINGER_S = 2.0

_logger = logging.getLogger(__name__)

Json = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked.

    Attributes:
        method: in capitals.
        path: without query.
        query: what came after a question mark, undone of its percent signs; of a repeated name, the last.
        headers: by lower-case name; of a repeated one, the last.
        body: raw.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """Read the body as a JSON object.

        Raises:
            HttpError: it is none (400).
        """
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError) as cause:
            raise HttpError(HTTPStatus.BAD_REQUEST, "body is not valid JSON") from cause
        if not isinstance(content, dict):
            raise HttpError(HTTPStatus.BAD_REQUEST, "body must be a JSON object")
        return content


@dataclass(frozen=True, kw_only=True)
class Response:
    """What to answer; no content at all if `content` is None."""

    status: HTTPStatus = HTTPStatus.OK
    content: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpError(Exception):
    """A request that is answered with an error status."""

    def __init__(self, status: HTTPStatus, message: str, *, code: str = "bad_request", **headers: str) -> None:
        """Keep what to answer.

        Args:
            status: of the response.
            message: for people.
            code: for programs.
            headers: more of them; an underscore in a name stands for a hyphen.
        """
        super().__init__(message)
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self.response = Response(status=status, content={"error": code, "message": message}, headers=more)


Handler = Callable[[Request], Awaitable[Response]]


async def start_server(handler: Handler, *, host: str, port: int) -> asyncio.Server:
    """Listen and answer every request with `handler`.

    Args:
        handler: may raise `HttpError`; whatever else it raises is logged and answered with 500.
        host: address to listen on.
        port: 0 for any free one; `port_of` says which.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            response = await _answer(reader, handler)
            writer.write(_encode(response))
            await writer.drain()
            if response.status >= HTTPStatus.BAD_REQUEST:
                await _linger(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left; there is nobody to tell
        finally:
            writer.close()

    return await asyncio.start_server(serve, host, port, limit=_HEAD_MAX_BYTES)


def port_of(server: asyncio.Server) -> int:
    """The port that a server listens on."""
    port: int = server.sockets[0].getsockname()[1]
    return port


async def _answer(reader: asyncio.StreamReader, handler: Handler) -> Response:
    try:
        request = await _read_in_time(reader)
    except HttpError as error:
        return error.response
    try:
        return await handler(request)
    except HttpError as error:
        return error.response
    except Exception:
        _logger.exception("request failed")
        return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error", code="internal_error").response


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read on until the client has read the refusal.

    Closing a socket with unread data in it resets the connection, and the client may lose the answer to a request that
    was refused before it was read (RFC 9112, 9.6).
    """
    with contextlib.suppress(OSError, TimeoutError):  # OSError: the client has read it, and left
        writer.write_eof()
        async with asyncio.timeout(_LINGER_S):
            while await reader.read(_BODY_MAX_BYTES):
                pass


async def _read_in_time(reader: asyncio.StreamReader) -> Request:
    try:
        async with asyncio.timeout(_READ_TIMEOUT_S):
            return await _read(reader)
    except TimeoutError as cause:
        raise HttpError(HTTPStatus.REQUEST_TIMEOUT, "request took too long to arrive") from cause


async def _read(reader: asyncio.StreamReader) -> Request:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError as cause:
        raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "request head is too large") from cause
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    match first.split(" "):
        case [method, target, "HTTP/1.1" | "HTTP/1.0"]:
            headers = dict(_header(line) for line in lines)
            body = await reader.readexactly(_body_bytes(headers))
            path, _, query = target.partition("?")
            return Request(method=method, path=path, query=read_query(query), headers=headers, body=body)
    raise HttpError(HTTPStatus.BAD_REQUEST, "not an HTTP/1.1 request")


def read_query(query: str) -> dict[str, str]:
    """Read what comes after the question mark of a URL.

    Raises:
        HttpError: it has more fields than anybody needs (400).
    """
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_QUERY_MAX_FIELDS))
    except ValueError as cause:
        raise HttpError(HTTPStatus.BAD_REQUEST, "query has too many fields") from cause


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise HttpError(HTTPStatus.BAD_REQUEST, "malformed header")
    return name.lower(), value.strip()


def _body_bytes(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise HttpError(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise HttpError(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
    if len(length) > 9 or int(length) > _BODY_MAX_BYTES:
        raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body is larger than {_BODY_MAX_BYTES} bytes")
    return int(length)


def _encode(response: Response) -> bytes:
    body = b"" if response.content is None else json.dumps(response.content).encode()
    status = response.status
    headers = {"Content-Length": str(len(body)), "Connection": "close", **response.headers}
    if response.content is not None:
        headers["Content-Type"] = "application/json"
    if status == HTTPStatus.NO_CONTENT:
        del headers["Content-Length"]  # RFC 9110, 8.6
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
