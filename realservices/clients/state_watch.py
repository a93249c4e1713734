"""Hears of changes of services' states, over one connection to the launcher that stays open.

The launcher (launcher/control_server.py) answers a request `watch` when a service is in another state than the asker
knows. So to ask whether all still serve is to look whether the socket has something to read: microseconds, before each
test.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from typing import Any

_ANSWER_TIMEOUT_S = 10.0
_FAILED = "failed"


class StateWatch:
    """The states of a launcher's services, as far as it has told of them.

    Args:
        path: Path of the control socket.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._descriptor = -1
        self._owner = 0
        self._poll = select.poll()
        self._received = b""
        self._services: dict[str, Any] = {}
        self._is_lost = False

    def failed(self, wait_s: float = 0.0) -> dict[str, str]:
        """Return the services that have failed, each with why and its last log lines.

        Args:
            wait_s: How long to wait for a failure where none is known.
        """
        deadline = time.monotonic() + wait_s
        with self._lock:
            self._look(0.0)
            while not (found := self._failures()) and not self._is_lost and (left_s := deadline - time.monotonic()) > 0:
                self._look(left_s)
            return found

    def is_lost(self) -> bool:
        """Return whether the launcher has ended, and all services with it."""
        with self._lock:
            self._look(0.0)
            return self._is_lost

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            self._disconnect()

    def _failures(self) -> dict[str, str]:
        return {name: each["error"] for name, each in self._services.items() if each["state"] == _FAILED}

    def _look(self, timeout_s: float) -> None:
        if self._is_lost:
            return
        try:
            if self._descriptor < 0 or self._owner != os.getpid():  # A fork has its parent's connection.
                self._connect()
            while self._poll.poll(int(timeout_s * 1000)):
                self._read()
                timeout_s = 0.0
        except OSError:
            self._is_lost = True

    def _connect(self) -> None:
        """Connect, and learn how all services are now."""
        self._disconnect()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
            stream.connect(self._path)
            # A descriptor, because nobody need close what `find_services` returns.
            self._descriptor, self._owner = stream.detach(), os.getpid()
        self._poll.register(self._descriptor, select.POLLIN)
        self._ask()
        if not self._poll.poll(int(_ANSWER_TIMEOUT_S * 1000)):
            raise TimeoutError(f"the launcher did not answer within {_ANSWER_TIMEOUT_S:.0f} s")
        self._read()

    def _disconnect(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        self._received = b""
        if descriptor >= 0:
            self._poll.unregister(descriptor)
            os.close(descriptor)

    def _read(self) -> None:
        received = os.read(self._descriptor, 65536)
        if not received:
            raise ConnectionResetError("the launcher has ended")
        *lines, self._received = (self._received + received).split(b"\n")
        if lines:
            self._services = json.loads(lines[-1])["services"]
            self._ask()

    def _ask(self) -> None:
        states = {name: each["state"] for name, each in self._services.items()}
        os.write(self._descriptor, json.dumps({"op": "watch", "states": states}).encode() + b"\n")

    def __del__(self) -> None:
        self._disconnect()
