"""The command line as a user has it: a process of its own, on a machine of the test's making."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.host import places

_ENCLOSURE = Path(__file__).absolute().parents[1] / "host" / "enclosure.py"
# Nothing of anybody else: ports, shared memory, temporary files.
PRIVATE = ("--net", "--tmpfs", "/dev/shm", "--tmpfs", "/tmp")
_TIMEOUT_S = 120


class Outcome:
    """What a command has said and ended with."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.output = done.stdout
        self.errors = done.stderr

    @property
    def content(self) -> Any:
        """What it has said as JSON."""
        return json.loads(self.output)

    def finding(self, identity: str) -> dict[str, str]:
        """Return one finding of `doctor --json`."""
        found = [check for check in self.content["checks"] if check["id"] == identity]
        assert len(found) == 1, f"{identity}: {self.output}{self.errors}"
        return dict(found[0])


def run(
    *arguments: str,
    enclosure: tuple[str, ...] = (),
    env: dict[str, str] | None = None,
    before: str = "",
    after: str = "",
) -> Outcome:
    """Run `python -m realservices ARGUMENTS`.

    Args:
        arguments: The command and its options.
        enclosure: Options of tests/host/enclosure.py.
        env: The whole environment, but for what the interpreter needs to find the package.
        before: Python to run in the enclosure first, in a process that stays until the command has ended.
        after: Python to run there afterwards.
    """
    command = [sys.executable, "-m", "realservices", *arguments]
    if before or after:
        middle = f"import subprocess, sys; code = subprocess.run({command!r}, check=False).returncode"
        command = [sys.executable, "-c", "\n".join((before, middle, after, "sys.exit(code)"))]
    if enclosure:
        command = [sys.executable, str(_ENCLOSURE), *enclosure, "--", *command]
    variables = {"PATH": "/usr/bin:/bin", **(env or {})}
    path = os.pathsep.join(filter(None, (str(places.command_line()), variables.get("PYTHONPATH"))))
    return Outcome(
        subprocess.run(
            command, env={**variables, "PYTHONPATH": path}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
        )
    )  # fmt: skip
