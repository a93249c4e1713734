"""A foreign process that takes the port of a service: the test's own, which is no child of the launcher."""

from __future__ import annotations

import http.server
import os
import select
import threading
from pathlib import Path

DEADLINE_S = 60.0
# Says where and with what it was started, and becomes the server when the test says so; its version it tells at once.
_GATED = """#!/bin/bash
[[ "$1" == --version ]] && exec {server} "$@"
echo "$PWD $*" > {gate}/began
read -r line < {gate}/go
exec {server} "$@"
"""


def own_words() -> str:
    """Return how a message names this process."""
    return f"{Path('/proc/self/comm').read_text('utf-8').strip()} (process {os.getpid()})"


class Foreign(http.server.ThreadingHTTPServer):
    """A server on a port, while the `with` block lasts; it answers every request with success.

    Attributes:
        asked: Set when it has answered one.
    """

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Answer)
        self.asked = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> Foreign:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Foreign)
        self.send_response(200)
        self.end_headers()
        self.server.asked.set()

    def log_message(self, *words: object) -> None:
        """Be silent."""


class Gate:
    """Where a server waits for the test before it begins.

    Args:
        directory: Is made, for two FIFOs.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()
        # Both ends are held open: nobody meets the end of a file, and a start that is let go need not have begun.
        self._ends = {}
        for name in ("began", "go"):
            os.mkfifo(directory / name)
            self._ends[name] = os.open(directory / name, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *error: object) -> None:
        for descriptor in self._ends.values():
            os.close(descriptor)

    def write_program(self, path: Path, server: Path) -> None:
        """Write a program that waits here and then becomes ``server``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_GATED.format(gate=self._directory, server=server), "utf-8")
        path.chmod(0o755)

    def await_start(self) -> str:
        """Wait until a server waits here; return its working directory and its arguments."""
        ready, _, _ = select.select([self._ends["began"]], [], [], DEADLINE_S)
        assert ready, "no server was started"
        return os.read(self._ends["began"], 65536).decode()

    def open(self) -> None:
        """Let one server begin."""
        os.write(self._ends["go"], b"go\n")
