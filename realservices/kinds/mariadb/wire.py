"""MariaDB's client protocol, as much of it as readiness, templates and copies of databases need.

By hand, because neither the launcher nor a build action has a client library, and a library costs more to import than
a server takes to answer. Statements go as text and values come as text.

Source: https://mariadb.com/kb/en/clientserver-protocol/
"""

from __future__ import annotations

import hashlib
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

Row = tuple[str | None, ...]

_LONG_PASSWORD, _CONNECT_WITH_DATABASE, _PROTOCOL_41, _TRANSACTIONS = 0x1, 0x8, 0x200, 0x2000
_SECURE_CONNECTION, _MULTI_STATEMENTS, _MULTI_RESULTS, _PLUGIN_AUTH = 0x8000, 0x10000, 0x20000, 0x80000
_CAPABILITIES = (
    _LONG_PASSWORD
    | _PROTOCOL_41
    | _TRANSACTIONS
    | _SECURE_CONNECTION
    | _MULTI_STATEMENTS
    | _MULTI_RESULTS
    | _PLUGIN_AUTH
)
_UTF8MB4 = 45
_NATIVE_PASSWORD = b"mysql_native_password"
_MOST_PACKET_BYTES = (1 << 24) - 1
_HANDSHAKE_V10 = 10
_OK, _ERROR, _END, _NULL = 0x00, 0xFF, 0xFE, 0xFB
_END_LENGTH = 9
_MORE_RESULTS = 0x8
_QUERY, _QUIT = 3, 1
# The header of a column count or a value that does not fit into a byte: how many bytes it has.
_WIDE = {0xFC: 2, 0xFD: 3, 0xFE: 8}


class MariaDBRefusal(Exception):  # noqa: N818 - what it is: the server's answer
    """The server's refusal of a login or a statement.

    Attributes:
        code: The server's error number.
        words: Its message.
    """

    def __init__(self, code: int, state: str, words: str) -> None:
        super().__init__(f"ERROR {code} ({state}): {words}" if state else f"ERROR {code}: {words}")
        self.code = code
        self.words = words


class Connection:
    """A blocking connection.

    Attributes:
        server_version: As the server says, ``11.4.5-MariaDB`` for instance.

    Args:
        address: Path of the unix socket, or host and port.
        user: The account.
        password: Its password; "": it has none.
        database: Default database; "": none.
        timeout_s: How long each answer may take; None: as long as it likes.

    Raises:
        OSError: The server is not there, hangs up, or takes too long.
        MariaDBRefusal: It refuses the login.
    """

    def __init__(
        self,
        address: str | tuple[str, int],
        user: str,
        password: str = "",
        database: str = "",
        *,
        timeout_s: float | None = None,
    ) -> None:
        self._socket = _connect(address, timeout_s)
        self._file: BinaryIO = self._socket.makefile("rb")
        self._sequence = 0
        self.server_version = ""
        try:
            self._log_in(user, password, database)
        except BaseException:
            self.close()
            raise

    def run(self, text: str) -> list[Row]:
        """Run one or several statements, separated by semicolons; return the rows of the last result.

        Raises:
            MariaDBRefusal: The server refuses one; those after it were not run.
            OSError: It is gone.
        """
        self._sequence = 0
        self._send(bytes([_QUERY]) + text.encode())
        rows: list[Row] = []
        has_more = True
        while has_more:
            rows, has_more = self._result()
        return rows

    def close(self) -> None:
        """Disconnect, which ends the session on the server."""
        try:
            self._sequence = 0
            self._send(bytes([_QUIT]))
        except OSError:
            pass  # It has gone before.
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _log_in(self, user: str, password: str, database: str) -> None:
        scramble = self._greeting()
        flags = _CAPABILITIES | (_CONNECT_WITH_DATABASE if database else 0)
        proof = _native_proof(password, scramble)
        self._send(
            flags.to_bytes(4, "little")
            + _MOST_PACKET_BYTES.to_bytes(4, "little")
            + bytes([_UTF8MB4])
            + bytes(23)
            + user.encode()
            + b"\0"
            + bytes([len(proof)])
            + proof
            + (database.encode() + b"\0" if database else b"")
            + _NATIVE_PASSWORD
            + b"\0"
        )
        answer = self._receive()
        if answer[0] == _END:  # The account has another plug-in than the server's first choice.
            plugin, _, rest = answer[1:].partition(b"\0")
            if plugin != _NATIVE_PASSWORD:
                raise MariaDBRefusal(
                    0, "", f"account {user!r} logs in by {plugin.decode()!r}, not by a native password"
                )
            self._send(_native_proof(password, rest[:20]))
            self._receive()

    def _greeting(self) -> bytes:
        """Read the server's first packet; return what the password is proved with."""
        packet = self._receive()
        if packet[0] != _HANDSHAKE_V10:
            raise OSError(f"it speaks version {packet[0]} of a protocol, not MariaDB's version {_HANDSHAKE_V10}")
        version, _, rest = packet[1:].partition(b"\0")
        self.server_version = version.decode().removeprefix("5.5.5-")
        return rest[4:12] + rest[31:43]

    def _result(self) -> tuple[list[Row], bool]:
        """Read the answer to a statement; say also whether another one follows."""
        packet = self._receive()
        if packet[0] == _OK:
            position = _skip(packet, _skip(packet, 1))
            return [], bool(int.from_bytes(packet[position : position + 2], "little") & _MORE_RESULTS)
        while not _is_end(self._receive()):
            pass  # Descriptions of columns.
        rows = []
        while not _is_end(packet := self._receive()):
            rows.append(_values(packet))
        return rows, bool(int.from_bytes(packet[3:5], "little") & _MORE_RESULTS)

    def _send(self, payload: bytes) -> None:
        while True:
            part, payload = payload[:_MOST_PACKET_BYTES], payload[_MOST_PACKET_BYTES:]
            self._socket.sendall(len(part).to_bytes(3, "little") + bytes([self._sequence]) + part)
            self._sequence = (self._sequence + 1) % 256
            if len(part) < _MOST_PACKET_BYTES:
                return

    def _receive(self) -> bytes:
        payload = b""
        while True:
            header = self._exactly(4)
            length = int.from_bytes(header[:3], "little")
            payload += self._exactly(length)
            self._sequence = (header[3] + 1) % 256
            if length < _MOST_PACKET_BYTES:
                break
        if payload[:1] == bytes([_ERROR]):
            raise _refusal(payload)
        return payload

    def _exactly(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise ConnectionResetError("the server hung up")
        return data


def _connect(address: str | tuple[str, int], timeout_s: float | None) -> socket.socket:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.settimeout(timeout_s)
    try:
        if family == socket.AF_INET:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made


def _native_proof(password: str, scramble: bytes) -> bytes:
    """Prove a password without showing it: https://mariadb.com/kb/en/authentication-plugin-mysql_native_password/."""
    if not password:
        return b""
    once = hashlib.sha1(password.encode()).digest()  # noqa: S324 - the protocol's own
    twice = hashlib.sha1(once).digest()  # noqa: S324
    mask = hashlib.sha1(scramble + twice).digest()  # noqa: S324
    return bytes(left ^ right for left, right in zip(once, mask, strict=True))


def _refusal(packet: bytes) -> MariaDBRefusal:
    code, words = int.from_bytes(packet[1:3], "little"), packet[3:]
    state = ""
    if words[:1] == b"#":
        state, words = words[1:6].decode(), words[6:]
    return MariaDBRefusal(code, state, words.decode(errors="replace"))


def _is_end(packet: bytes) -> bool:
    return packet[0] == _END and len(packet) < _END_LENGTH


def _length(packet: bytes, position: int) -> tuple[int, int]:
    """Return a length and where what it is the length of begins."""
    first = packet[position]
    width = _WIDE.get(first, 0)
    if not width:
        return first, position + 1
    return int.from_bytes(packet[position + 1 : position + 1 + width], "little"), position + 1 + width


def _skip(packet: bytes, position: int) -> int:
    return _length(packet, position)[1]


def _values(packet: bytes) -> Row:
    values: list[str | None] = []
    position = 0
    while position < len(packet):
        if packet[position] == _NULL:
            values.append(None)
            position += 1
            continue
        length, position = _length(packet, position)
        values.append(packet[position : position + length].decode(errors="surrogateescape"))
        position += length
    return tuple(values)
