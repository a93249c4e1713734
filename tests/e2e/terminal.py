"""A terminal in which `bazel run` runs something that stays."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time

from tests.host.running import Running
from tests.scratch import ROOT, Workspace

_DEADLINE_S = 300.0


class Terminal(Running):
    """A running `bazel run`, with a process group of its own as a terminal would give it."""

    def __init__(self, workspace: Workspace, *arguments: str) -> None:
        process = subprocess.Popen(
            [*shlex.split(os.environ.get("BAZEL", str(ROOT / "tools" / "bazelw"))), "run", *arguments],
            cwd=workspace.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        super().__init__(process, _DEADLINE_S)

    def end(self) -> None:
        """Press Ctrl-C and read on until nobody holds the terminal any more."""
        os.killpg(self.pid, signal.SIGINT)
        deadline = time.monotonic() + _DEADLINE_S
        while self.read(deadline):
            pass
        self.process.communicate(timeout=_DEADLINE_S)
