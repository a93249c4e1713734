"""The launcher's control socket as any language would speak it: one JSON object per line each way."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any


class ControlClient:
    """One connection; use it as a context manager."""

    def __init__(self, path: str, timeout_s: float) -> None:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.settimeout(timeout_s)
        self._connection.connect(path)
        self._stream = self._connection.makefile("rwb")

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._connection.close()

    def ask(self, op: str, **details: object) -> dict[str, Any]:
        """Send a request and return the answer."""
        return self.ask_raw(json.dumps({"op": op, **details}).encode())

    def ask_raw(self, line: bytes) -> dict[str, Any]:
        """Send any bytes as a request and return the answer."""
        self._send(line)
        return self.answer()

    def tell(self, op: str, **details: object) -> None:
        """Send a request whose answer is awaited later (`answer`)."""
        self._send(json.dumps({"op": op, **details}).encode())

    def await_end(self) -> None:
        """Wait until the launcher hangs up, or has ended without having looked at this connection."""
        with contextlib.suppress(ConnectionResetError):
            assert self._stream.readline() == b""

    def _send(self, line: bytes) -> None:
        self._stream.write(line + b"\n")
        self._stream.flush()

    def answer(self) -> dict[str, Any]:
        """Return the next answer."""
        answer: dict[str, Any] = json.loads(self._stream.readline())
        return answer

    def state(self, service: str) -> str:
        """Return the state of a service."""
        return str(self.ask("status")["services"][service]["state"])
