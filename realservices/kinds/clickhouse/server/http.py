"""One query to a ClickHouse by HTTP, over a plain socket: an HTTP client library costs more to import than the start.

Source: https://clickhouse.com/docs/interfaces/http. Each query has a connection of its own (HTTP/1.0), so the answer is
what comes until the server closes it; an exception after the first rows is seen by its header.
"""

from __future__ import annotations

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


class ClickHouseRefusal(Exception):  # noqa: N818 - it is an answer
    """The server's words about a query that it refused."""


def query(
    address: tuple[str, int],
    account: tuple[str, str],
    sql: str | bytes,
    *,
    timeout_s: float,
    parameters: Mapping[str, str] | None = None,
) -> str:
    """Run one query and return its result as text.

    Args:
        address: Host and HTTP port.
        account: User and password.
        sql: The query, with its data if it has any.
        timeout_s: For each step of the exchange.
        parameters: Of the URL: ``database``, or settings by name.

    Raises:
        ClickHouseRefusal: The server refused it.
        OSError: Not reachable.
    """
    body = sql.encode() if isinstance(sql, str) else sql
    # With it the server tells by the status whether the whole query succeeded.
    arguments = {"wait_end_of_query": "1", **(parameters or {})}
    path = "/?" + "&".join(f"{name}={_quoted(value)}" for name, value in arguments.items())
    head = (
        f"POST {path} HTTP/1.0\r\nHost: {address[0]}\r\nContent-Length: {len(body)}\r\n"
        f"X-ClickHouse-User: {account[0]}\r\nX-ClickHouse-Key: {account[1]}\r\n\r\n"
    )
    with socket.create_connection(address, timeout_s) as connection:
        connection.sendall(head.encode() + body)
        answer = b""
        while received := connection.recv(65536):
            answer += received
    status, _, rest = answer.partition(b"\r\n")
    text = rest.partition(b"\r\n\r\n")[2].decode(errors="replace")
    if status.split(b" ")[1:2] != [b"200"]:
        raise ClickHouseRefusal(text.strip() or status.decode(errors="replace"))
    return text


def is_alive(address: tuple[str, int], *, timeout_s: float) -> bool:
    """Return whether the server answers at ``/ping``, which takes a tenth of the time of a query.

    Raises:
        OSError: Not reachable.
    """
    with socket.create_connection(address, timeout_s) as connection:
        connection.sendall(f"GET /ping HTTP/1.0\r\nHost: {address[0]}\r\n\r\n".encode())
        answer = b""
        while received := connection.recv(4096):
            answer += received
    return answer.endswith(b"\r\n\r\nOk.\n")


def _quoted(value: str) -> str:
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in value.encode())
