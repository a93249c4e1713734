"""The first packets of ClickHouse's native protocol: enough to log in with the right password.

With a wrong one the pinned engine aborts, see docs/clickhouse.md.

Source: https://clickhouse.com/docs/native-protocol/client.
"""

from __future__ import annotations

import socket
from typing import BinaryIO

_HELLO, _EXCEPTION = 0, 2
_REVISION = 54460


def login(port: int, *, user: str, password: str) -> str:
    """Log in and return the name that the server gives itself."""
    code, text = _greet(port, user, password)
    assert code == _HELLO, text
    return text


def _greet(port: int, user: str, password: str) -> tuple[int, str]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        words = b"".join(_text(word) for word in ("", user, password))
        connection.sendall(_number(_HELLO) + _text("realservices") + _number(1) * 2 + _number(_REVISION) + words)
        with connection.makefile("rb") as stream:
            code = _read_number(stream)
            if code == _EXCEPTION:
                stream.read(4)
                _read_text(stream)
            return code, _read_text(stream)


def _number(value: int) -> bytes:
    encoded = b""
    while value > 127:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


def _text(value: str) -> bytes:
    return _number(len(value.encode())) + value.encode()


def _read_number(stream: BinaryIO) -> int:
    value = shift = 0
    while True:
        byte: int = stream.read(1)[0]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value


def _read_text(stream: BinaryIO) -> str:
    text = stream.read(_read_number(stream))
    return text.decode()
