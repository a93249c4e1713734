"""A terminal as a developer has it, for tests of what is shown there, and of Ctrl-C."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CTRL_C = b"\x03"
_DEADLINE_S = 60.0


class Terminal:
    """A pseudo-terminal with a command as its foreground process."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self._pid = pid
        self._descriptor = descriptor
        self._ended = False
        self.output = ""

    def await_output(self, pattern: str) -> None:
        """Wait until what is shown holds a match of ``pattern``."""
        deadline = time.monotonic() + _DEADLINE_S
        while not re.search(pattern, self.output, re.MULTILINE):
            assert self._read(deadline), f"it ended without {pattern!r}:\n{self.output}"

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._descriptor, keys)

    def wait(self) -> int:
        """Read on to the end; return the exit code."""
        deadline = time.monotonic() + _DEADLINE_S
        while self._read(deadline):
            pass
        self._ended = True
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def hang_up(self) -> int:
        """Close the terminal's window, of which the kernel tells the command; return its exit code."""
        os.close(self._descriptor)
        self._descriptor = -1
        self._ended = True
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def close(self) -> None:
        """Take the terminal away; whoever still runs on it is killed."""
        if not self._ended:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], deadline - time.monotonic())
        assert ready, f"nothing more comes after:\n{self.output}"
        try:
            chunk = os.read(self._descriptor, 65536)
        except OSError:
            return False  # Nobody has the other side any more.
        self.output += chunk.decode(errors="replace").replace("\r\n", "\n")
        return bool(chunk)


@contextmanager
def opened_terminal(command: list[str], env: Mapping[str, str], directory: str = "/") -> Iterator[Terminal]:
    """Run a command on a terminal of its own."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(directory)
        os.execve(command[0], command, env)
    terminal = Terminal(pid, descriptor)
    try:
        yield terminal
    finally:
        terminal.close()
