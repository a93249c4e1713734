"""Questions to the services under test, by PostgreSQL's own client and by Redis's own protocol."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.host import places

_TIMEOUT_S = 60.0


class QueryError(Exception):
    """A service refused; the text is its own."""


def sql(url: str, *statements: str) -> str:
    """Run statements with psql and return what they print: rows as lines, columns parted by ``|``.

    Raises:
        QueryError: The server refused, or is not there.
    """
    commands = [part for statement in statements for part in ("-c", statement)]
    done = subprocess.run(
        [places.psql(), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url, *commands],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise QueryError(done.stderr)
    return done.stdout.rstrip("\n")


def redis_call(endpoint: dict[str, Any], *command: str) -> str:
    """Send one command over TCP, after AUTH, and return the answer's text, an array's items as lines.

    Raises:
        QueryError: The server answered with an error.
        OSError: It is not there.
    """
    address = (endpoint["host"], endpoint["port"])
    with socket.create_connection(address, timeout=_TIMEOUT_S) as connection, connection.makefile("rwb") as stream:
        _send(stream, "AUTH", endpoint["password"])
        _receive(stream)
        _send(stream, *command)
        return _receive(stream)


def backend_in(postmaster: int, activity: str) -> int:
    """Wait for a worker of the server that is busy with ``activity``; return its process id."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text("ascii").split():
            try:
                title = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0 ")
            except FileNotFoundError:
                continue
            if title.startswith("postgres: test test") and title.endswith(activity):
                return int(pid)
    raise AssertionError(f"no worker of {postmaster} is busy with {activity}")


def _send(stream: Any, *words: str) -> None:
    encoded = [word.encode() for word in words]
    stream.write(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
    stream.flush()


def _receive(stream: Any) -> str:
    line: str = stream.readline().decode().rstrip("\r\n")
    if not line:
        raise ConnectionError("Redis hung up")
    if line[0] == "-":
        raise QueryError(line[1:])
    if line[0] == "$" and line != "$-1":
        content: bytes = stream.read(int(line[1:]) + 2)
        return content[:-2].decode()
    if line[0] == "*":
        return "\n".join(_receive(stream) for _ in range(int(line[1:])))
    return line[1:]
