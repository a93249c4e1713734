"""A service's log: its output goes through a pipe into a file, and the last lines stay at hand for messages."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_TAIL_LINES = 20
_CHUNK_BYTES = 65536


class ServiceLog:
    """The output of one service.

    Attributes:
        path: The file that holds it all.
        descriptor: Read end of the pipe while the service runs, else -1.

    Args:
        on_lines: Called with complete lines as they come.
    """

    def __init__(self, path: str, on_lines: Callable[[list[str]], None] | None = None) -> None:
        self.path = path
        self._on_lines = on_lines
        self.descriptor = -1
        self._file = -1
        self._tail: list[str] = []
        self._partial = b""

    def open(self) -> int:
        """Make a new pipe and return its write end, for the service; the caller closes it after the start."""
        self.descriptor, write_end = os.pipe()
        os.set_blocking(self.descriptor, False)
        if self._file < 0:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return write_end

    def read(self) -> list[str] | None:
        """Take what has been written since the last call: its complete lines, or None at the end of the output."""
        try:
            chunk = os.read(self.descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return []
        if not chunk:
            return None
        os.write(self._file, chunk)
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        decoded = [line.decode(errors="replace") for line in lines]
        self._tail = (self._tail + decoded)[-_TAIL_LINES:]
        if self._on_lines and decoded:
            self._on_lines(decoded)
        return decoded

    def drain(self) -> None:
        """Take all that is left in the pipe."""
        while self.descriptor >= 0 and self.read():
            pass

    def tail(self) -> list[str]:
        """Return the last lines, oldest first, with one that has no end yet."""
        last = [self._partial.decode(errors="replace")] if self._partial else []
        return (self._tail + last)[-_TAIL_LINES:]

    def close(self) -> None:
        """Close the pipe; the file stays."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
