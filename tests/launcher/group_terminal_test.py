"""A group at a terminal: colours there, and Ctrl-C for the command that has it, not for its services."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.launcher.executables import executable
from tests.launcher.grouped import DEADLINE_S, LABEL, Group
from tests.launcher.launched import redis

_CTRL_C = b"\x03"
# A program with an answer of its own to Ctrl-C, as an interactive client has.
_INTERACTIVE = """
import os, signal
signal.signal(signal.SIGINT, lambda *_: (os.write(1, b"query cancelled"), os._exit(5)))
os.write(1, b"prompt")
signal.pause()
"""


class Terminal:
    """A pseudo-terminal with a group's launcher as its foreground process."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self._pid = pid
        self._descriptor = descriptor
        self._ended = False
        self.output = ""

    def await_output(self, pattern: str) -> None:
        """Wait until what is shown holds a match of ``pattern``."""
        deadline = time.monotonic() + DEADLINE_S
        while not re.search(pattern, self.output, re.MULTILINE):
            assert self._read(deadline), f"it ended without {pattern!r}:\n{self.output}"

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._descriptor, keys)

    def wait(self) -> int:
        """Read on to the end; return the exit code."""
        deadline = time.monotonic() + DEADLINE_S
        while self._read(deadline):
            pass
        self._ended = True
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def close(self) -> None:
        """Take the terminal away; whoever still runs on it is killed."""
        if not self._ended:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
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
def _terminal(group: Group, *arguments: str, **env: str) -> Iterator[Terminal]:
    command, whole = group.command(*arguments), group.env | {"TERM": "xterm"} | env
    pid, descriptor = pty.fork()
    if pid == 0:
        os.execve(command[0], command, whole)
    terminal = Terminal(pid, descriptor)
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.fixture
def group() -> Iterator[Group]:
    with Group([redis(), executable("app")]) as declared:
        yield declared


def test_ctrl_c_ends_the_group(group: Group) -> None:
    with _terminal(group) as terminal:
        terminal.await_output(f"^{LABEL} is ready")
        terminal.press(_CTRL_C)
        assert terminal.wait() == 0
        assert f"{LABEL} has ended" in terminal.output


def test_ctrl_c_is_a_command_s_own_business(group: Group) -> None:
    with _terminal(group, "exec", sys.executable, "-c", _INTERACTIVE) as terminal:
        terminal.await_output("^prompt")
        terminal.press(_CTRL_C)
        assert terminal.wait() == 5, terminal.output
        assert "query cancelled" in terminal.output
        assert "realservices:" not in terminal.output


def test_names_have_a_colour_each_on_a_terminal(group: Group) -> None:
    with _terminal(group) as terminal:
        terminal.await_output(f"^{LABEL} is ready")
        assert re.search(r"^\x1b\[31mcache\x1b\[0m  redis://", terminal.output, re.MULTILINE)
        assert re.search(r"^\x1b\[32mapp  \x1b\[0m  http://", terminal.output, re.MULTILINE)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_there_is_no_colour_where_none_is_wanted(group: Group, env: dict[str, str]) -> None:
    with _terminal(group, **env) as terminal:
        terminal.await_output(f"^{LABEL} is ready")
        assert "\x1b" not in terminal.output
