"""A terminal in which `bazel run` runs something that stays."""

from __future__ import annotations

import os
import re
import selectors
import shlex
import signal
import subprocess
import time

from tests.scratch import ROOT, Workspace

_DEADLINE_S = 300.0


class Terminal:
    """A running `bazel run`, with a process group of its own as a terminal would give it."""

    def __init__(self, workspace: Workspace, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*shlex.split(os.environ.get("BAZEL", str(ROOT / "tools" / "bazelw"))), "run", *arguments],
            cwd=workspace.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.output = ""

    def await_output(self, pattern: str) -> re.Match[str]:
        """Wait until what has been written holds a match of ``pattern``."""
        deadline = time.monotonic() + _DEADLINE_S
        while not (found := re.search(pattern, self.output, re.MULTILINE)):
            assert self._read(deadline), f"it ended without {pattern!r}; its output:\n{self.output}"
        return found

    def tell(self, text: str) -> None:
        """Write to its standard input."""
        assert self.process.stdin
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def end(self) -> None:
        """Press Ctrl-C and read on until nobody holds the terminal any more."""
        os.killpg(self.process.pid, signal.SIGINT)
        deadline = time.monotonic() + _DEADLINE_S
        while self._read(deadline):
            pass
        self.process.communicate(timeout=_DEADLINE_S)

    def _read(self, deadline: float) -> bool:
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(deadline - time.monotonic()), f"nothing more comes after:\n{self.output}"
        chunk = os.read(self.process.stdout.fileno(), 65536)
        self.output += chunk.decode(errors="replace")
        return bool(chunk)
