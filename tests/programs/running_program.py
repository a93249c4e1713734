"""A program of the package in a process of its own, for tests that need its real behaviour."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_S = 20.0


class RunningProgram:
    """``python -m realservices.programs.<name>``, from the line with its address to its end.

    Args:
        name: The program.
        arguments: Of the program.
        env: More for its environment.
    """

    def __init__(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"realservices.programs.{name}", *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **(env or {})},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.line = self._process.stdout.readline()  # Ends with the process, if that ends.
        found = re.search(r"listening on (\S+)", self.line)
        assert found, f"{name} wrote {self.line!r} and ended with {self._process.wait(_TIMEOUT_S)}"
        self.url = found[1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return how the process ended."""
        self._process.send_signal(number)
        return self._process.wait(_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
