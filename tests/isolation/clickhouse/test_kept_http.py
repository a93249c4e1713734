"""As much of HTTP as a ClickHouse server speaks, and what is told of one that speaks something else."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from realservices.contract.runtime import Endpoint
from realservices.isolation.errors import IsolationError
from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection
from realservices.kinds.clickhouse.isolation.kept_http import KeptHttp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TIMEOUT_S = 30.0
_SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@contextmanager
def _server(*connections: Sequence[bytes]) -> Iterator[tuple[str, int]]:
    """Answer each request of each connection, one after the other, and close it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answers in connections:
            accepted, _ = listener.accept()
            with accepted:
                for answer in answers:
                    assert accepted.recv(65536)
                    accepted.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()
    thread.join(_TIMEOUT_S)
    listener.close()


def _post(address: tuple[str, int], requests: int = 1) -> list[tuple[int, bytes]]:
    http = KeptHttp(address, {}, timeout_s=_TIMEOUT_S)
    try:
        return [http.post("/", b"SELECT 1") for _ in range(requests)]
    finally:
        http.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (_SHORT, (200, b"hi")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n\r\nh\r\n0\r\n\r\n",
            (200, b"hi\r\nh"),
        ),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n0\r\nX-More: 1\r\n\r\n", (200, b"")),
        (b"HTTP/1.1 500 No\r\nContent-Length: 3\r\nX-ClickHouse-Exception-Code: 62\r\n\r\nbad", (500, b"bad")),
        (b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nuntil the end", (200, b"until the end")),
    ],
)
def test_an_answer_is_read_to_its_end(answer: bytes, expected: tuple[int, bytes]) -> None:
    with _server([answer]) as address:
        assert _post(address) == [expected]


def test_a_connection_is_kept_until_the_server_says_otherwise() -> None:
    last = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: Close\r\n\r\nend"
    with _server([_SHORT, last], [_SHORT]) as address:
        assert [content for _, content in _post(address, 3)] == [b"hi", b"end", b"hi"]


def test_a_query_is_asked_again_where_the_server_has_closed_a_kept_connection() -> None:
    with _server([_SHORT], [_SHORT]) as address:
        connection = _connection(address)
        assert [connection.run("SELECT 1") for _ in range(2)] == ["hi", "hi"]
        connection.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "ConnectionResetError: the server has closed the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", "has closed the connection within an answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi", "within an answer"),
        (b"what is this?\n", "ValueError: "),
    ],
)
def test_what_is_no_answer_is_told_with_the_service(answer: bytes, error: str) -> None:
    with _server([answer], [answer]) as address:
        connection = _connection(address)
        for _ in range(2):
            with pytest.raises(IsolationError, match=rf"ClickHouse service 'events' .* does not answer: .*{error}"):
                connection.run("SELECT 1")


def _connection(address: tuple[str, int]) -> ClickHouseConnection:
    return ClickHouseConnection(Endpoint("events", "clickhouse", "//:events", *address, "", ""))
