"""A program that runs beside a test, which reads what it writes; it cannot outlive the `with` block."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import signal


class Running:
    """A program while it runs.

    Args:
        process: Its output is a pipe.
        deadline_s: How long anything that is awaited may take.

    Attributes:
        process: The same.
        output: What it has written so far.
    """

    def __init__(self, process: subprocess.Popen[bytes], deadline_s: float = 60.0) -> None:
        self.process = process
        self.output = ""
        self._deadline_s = deadline_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def await_output(self, pattern: str) -> re.Match[str]:
        """Wait until what it has written holds a match of ``pattern``."""
        deadline = time.monotonic() + self._deadline_s
        while not (found := re.search(pattern, self.output, re.MULTILINE)):
            assert self.read(deadline), f"it ended without {pattern!r}; its output:\n{self.output}{self.complaints()}"
        return found

    def read(self, deadline: float) -> bool:
        """Read what it writes next; False at the end of its output."""
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            is_there = selector.select(max(0.0, deadline - time.monotonic()))
            assert is_there, f"nothing more comes after:\n{self.output}{self.complaints()}"
        chunk = os.read(self.process.stdout.fileno(), 65536)
        self.output += chunk.decode(errors="replace")
        return bool(chunk)

    def complaints(self) -> str:
        """Return what it has said elsewhere, for messages."""
        return ""

    def forget(self) -> None:
        """Begin anew with the output."""
        self.output = ""

    def tell(self, text: str) -> None:
        """Write to its standard input."""
        assert self.process.stdin
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; return its exit code."""
        rest, _ = self.process.communicate(timeout=self._deadline_s)
        self.output += (rest or b"").decode(errors="replace")
        return self.process.returncode
