"""A service's log as it grows."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from realservices.system.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path


class LogFile:
    """A file that another process appends to; what is no text is shown as well as it can be.

    It is held open: what a service writes when it ends is there also when its session has removed the file.

    Args:
        path: Where it is.

    Raises:
        OSError: It is gone, or is no file.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_regular(path)
        self._partial = b""

    def last_lines(self, count: int | None) -> list[str]:
        """Return the last lines so far, all if ``count`` is None, and go on behind them."""
        kept = deque(self._file, maxlen=count)
        if kept and not kept[-1].endswith(b"\n"):
            self._partial = kept.pop()
        return [_text(line.removesuffix(b"\n")) for line in kept]

    def new_lines(self) -> list[str]:
        """Return the lines that have been completed since the last call."""
        *lines, self._partial = (self._partial + self._file.read()).split(b"\n")
        return [_text(line) for line in lines]

    def rest(self) -> list[str]:
        """Return the last line, if it has no end."""
        partial, self._partial = self._partial, b""
        return [_text(partial)] if partial else []

    def close(self) -> None:
        """Read no more."""
        self._file.close()


def _text(line: bytes) -> str:
    return line.decode(errors="replace")
