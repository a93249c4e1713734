"""A service's log: its output goes through a pipe into a file, and the last lines stay at hand for messages.

The file has it all, for as long as there is room. Memory stays bounded: only the last lines are kept, and only the
beginning of each. A full disk costs what does not fit, and never the test: what was lost is counted.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_TAIL_LINES = 20
_CHUNK_BYTES = 65536
# Of a longer line this much is looked at and shown; the file has the rest.
_MOST_LINE_BYTES = 65536


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
        # The line that has no end yet: its beginning, and how much more there was.
        self._beginning = bytearray()
        self._cut_bytes = 0
        self._lost_bytes = 0
        self._cause = ""

    def open(self) -> int:
        """Make a new pipe and return its write end, for the service; the caller closes it after the start.

        Raises:
            OSError: There is no pipe. A file that cannot be made only loses what is written.
        """
        self.descriptor, write_end = os.pipe()
        os.set_blocking(self.descriptor, False)
        return write_end

    def read(self) -> list[str] | None:
        """Take what has been written since the last call: its complete lines, or None at the end of the output."""
        try:
            chunk = os.read(self.descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return []
        return self._take(chunk) if chunk else None

    def drain(self) -> None:
        """Take all that is left in the pipe."""
        try:
            while self.descriptor >= 0 and (chunk := os.read(self.descriptor, _CHUNK_BYTES)):
                self._take(chunk)
        except BlockingIOError:
            pass  # A process that it has left behind still has the pipe.

    def tail(self) -> list[str]:
        """Return the last lines, oldest first, with one that has no end yet, and with what was lost of the file."""
        last = [self._line()] if self._beginning else []
        lost = [f"({self._loss})"] if self._lost_bytes else []
        return (self._tail + last)[-_TAIL_LINES:] + lost

    @property
    def warning(self) -> str:
        """What is missing in the file, "" if nothing is."""
        return f"{os.path.basename(self.path)} is not whole: {self._loss}" if self._lost_bytes else ""

    def close(self) -> None:
        """Close the pipe; the file stays."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _take(self, chunk: bytes) -> list[str]:
        """Keep a piece of the output, and return the lines that end in it."""
        self._keep(chunk)
        *ended, rest = chunk.split(b"\n")
        lines = []
        for piece in ended:
            self._extend(piece)
            lines.append(self._line())
            self._beginning, self._cut_bytes = bytearray(), 0
        self._extend(rest)
        self._tail = (self._tail + lines)[-_TAIL_LINES:]
        if self._on_lines and lines:
            self._on_lines(lines)
        return lines

    @property
    def _loss(self) -> str:
        return f"{self._lost_bytes} bytes of what it wrote were lost: {self._cause}"

    def _keep(self, chunk: bytes) -> None:
        """Append to the file, as much as there is room for: there may be room again for the next chunk."""
        left = memoryview(chunk)
        try:
            if self._file < 0:
                self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            self._lost_bytes += len(left)
            self._cause = self._cause or error.strerror or str(error)

    def _extend(self, piece: bytes) -> None:
        room = max(0, _MOST_LINE_BYTES - len(self._beginning))
        self._beginning += piece[:room]
        self._cut_bytes += max(0, len(piece) - room)

    def _line(self) -> str:
        shown = self._beginning.decode(errors="replace")
        return shown + (f" … (and {self._cut_bytes} more bytes in this line)" if self._cut_bytes else "")
