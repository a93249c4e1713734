"""Text for people: colours and progress on a terminal, plain lines anywhere else."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from typing import IO, Any

from realservices.system.terminal_text import as_json_text, as_output, as_text

_CODES = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "bold": 1}
# What tells several from each other, in this order.
COLOURS = ("red", "green", "yellow", "blue", "magenta", "cyan")
_CLEAR_LINE = "\r\x1b[K"


class Console:
    """Where a command's text goes.

    Args:
        output: For results.
    """

    def __init__(self, output: IO[str] | None = None) -> None:
        self._output = output or sys.stdout
        # For what is under way; shown on a terminal only, and wiped away again.
        self._progress = sys.stderr
        # https://no-color.org: set and not empty, whatever the value.
        self._has_colour = self._output.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._shows_progress = self._progress.isatty() and os.environ.get("TERM") != "dumb"
        self._is_under_way = False

    @property
    def is_terminal(self) -> bool:
        """Whether results go to a terminal, and not into a file or a pipe that others may read."""
        return self._output.isatty()

    @property
    def shows_progress(self) -> bool:
        """Whether anybody sees what is under way."""
        return self._shows_progress

    def line(self, text: str = "") -> None:
        """Write one line, or some. Of what others have put into it, a terminal obeys colours and nothing else."""
        print(as_output(text), file=self._output, flush=True)

    def diff(self, name: str, before: str, after: str) -> None:
        """Write what would change in a file."""
        import difflib  # noqa: PLC0415 - for commands that change files

        lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), name, name)
        self.line("".join(lines).rstrip("\n"))

    def json(self, content: Any) -> None:
        """Write an object as JSON."""
        print(as_json_text(json.dumps(content, indent=2, ensure_ascii=False)), file=self._output, flush=True)

    def json_line(self, content: Any) -> None:
        """Write an object as JSON in one line, for who reads while this goes on."""
        print(as_json_text(json.dumps(content, ensure_ascii=False)), file=self._output, flush=True)

    def paragraph(self, text: str, indent: int) -> None:
        """Write a text, indented; on a terminal its lines are broken to fit."""
        for line in text.split("\n") if text else ():
            if self._output.isatty():
                width = max(40, shutil.get_terminal_size().columns - indent)
                for part in textwrap.wrap(line, width, break_on_hyphens=False, break_long_words=False):
                    self.line(" " * indent + part)
            else:
                self.line(" " * indent + line)

    def coloured(self, text: str, colour: str) -> str:
        """Return the text in a colour, where colours are shown."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self._has_colour else text

    def progress(self, text: str) -> None:
        """Say what is under way; "" wipes it away."""
        if self._shows_progress and (text or self._is_under_way):
            self._is_under_way = bool(text)
            self._progress.write(_CLEAR_LINE + as_text(text))
            self._progress.flush()


def shown_duration(seconds: float) -> str:
    """Return a duration as people read it."""
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole // 60
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def shown_bytes(size: int) -> str:
    """Return a size as people read it."""
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}" if size < 10 * factor else f"{size // factor} {unit}"
    return f"{size} bytes"


def forget_output(stream: IO[str]) -> None:
    """Let what is written from now on, and what Python still holds, go nowhere: there is no reader any more."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
