"""POST requests over one kept HTTP connection: as much of HTTP/1.1 as ClickHouse's server speaks.

The standard library's client takes 0.2 ms of the interpreter's time for each request, which tests wait for, mostly to
parse headers that nothing reads. Source: https://www.rfc-editor.org/rfc/rfc9112, sections 6 and 7.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import BufferedReader

_END_OF_HEAD = b"\r\n"


class KeptHttp:
    """A connection that is made with the first request, and again after `close` or where the server ends it.

    Args:
        address: Host and port.
        headers: Of each request.
        timeout_s: For each step of an exchange.
    """

    def __init__(self, address: tuple[str, int], headers: Mapping[str, str], *, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        fields = {"Host": f"{address[0]}:{address[1]}", **headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._socket: socket.socket | None = None
        self._reader: BufferedReader | None = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, which the server may have closed."""
        return self._socket is not None

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Return the answer's status and its content.

        Raises:
            OSError: Not reachable, or the connection ended.
        """
        if self._socket is None or self._reader is None:
            self._socket = socket.create_connection(self._address, self._timeout_s)
            # A body that does not fit into one packet with the head would wait for the server's acknowledgement.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._reader = self._socket.makefile("rb")
        head = f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        status, fields = _read_head(self._reader)
        content = _read_content(self._reader, fields)
        if fields.get(b"connection", b"").lower() == b"close":
            self.close()
        return status, content

    def close(self) -> None:
        """Disconnect."""
        for each in (self._reader, self._socket):
            if each is not None:
                each.close()
        self._reader = self._socket = None


def _read_head(reader: BufferedReader) -> tuple[int, Mapping[bytes, bytes]]:
    """Return status and fields; names are in lower case."""
    status = int(_line(reader).partition(b" ")[2][:3])
    fields = {}
    while (line := _line(reader)) != _END_OF_HEAD:
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip()
    return status, fields


def _read_content(reader: BufferedReader, fields: Mapping[bytes, bytes]) -> bytes:
    if fields.get(b"transfer-encoding", b"").lower() != b"chunked":
        length = fields.get(b"content-length")
        return reader.read() if length is None else _exactly(reader, int(length))
    chunks = []
    while size := int(_line(reader).split(b";", 1)[0], 16):
        chunks.append(_exactly(reader, size))
        _line(reader)
    while _line(reader) != _END_OF_HEAD:
        pass  # Fields behind the content.
    return b"".join(chunks)


def _line(reader: BufferedReader) -> bytes:
    line = reader.readline()
    if not line.endswith(b"\n"):
        raise ConnectionResetError("the server has closed the connection")
    return line


def _exactly(reader: BufferedReader, size: int) -> bytes:
    content = reader.read(size)
    if len(content) < size:
        raise ConnectionResetError("the server has closed the connection within an answer")
    return content
