"""Runs of mutants on one side, each in a fork of one process (worker/fork_server.py)."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realservices.mocks.verify.errors import VerifyError
from realservices.mocks.verify.runs import Outcome, tail_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from realservices.mocks.verify.runs import Side

_END_S = 10.0
_BY_ITSELF = "by itself"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What became of some tests.

    Attributes:
        tests: By name.
        errors: What failed before there were tests.
        ended: How the process ended: "by itself", "in time-out", "by signal 9".
        seconds: How long it took.
        is_complete: Whether pytest came to its end.
        is_applied: Whether the changed file was imported.
    """

    tests: dict[str, Outcome]
    errors: tuple[str, ...]
    ended: str
    seconds: float
    is_complete: bool
    is_applied: bool

    def noticed_by(self, expected: Sequence[str]) -> str | None:
        """Return what tells this run from one in which all expected tests pass, or None."""
        if self.ended != _BY_ITSELF:
            return f"the process ended {self.ended}"
        if not self.is_complete:
            return "the process ended before pytest did"
        failed = [name for name, test in self.tests.items() if test.outcome in ("failed", "unfinished")]
        if failed:
            return failed[0]
        if self.errors:
            return "an import fails"
        return None if all(name in self.tests for name in expected) else "tests are missing"


class ForkServer:
    """The process, ended with `close`.

    Args:
        side: The test that it runs.
        root: The project's root.
        modules: What to import before the first fork.

    Attributes:
        is_clean: Whether its forks are as good as new processes, after what it has imported.
    """

    def __init__(self, side: Side, root: Path, modules: Sequence[str]) -> None:
        self._side = side
        self._log = side.scratch / "server.log"
        ours, its = socket.socketpair()
        with its, self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "realservices.mocks.verify.worker.fork_server", str(its.fileno())],
                cwd=side.directory, env=side.variables(), pass_fds=[its.fileno()], stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, process_group=0,
            )  # fmt: skip
        self._connection = ours
        self._lines = ours.makefile("rw", encoding="utf-8")
        first = {"root": str(root), "test": str(side.test), "scratch": str(side.scratch), "arguments": side.arguments}
        self.is_clean = bool(self._ask({**first, "modules": list(modules)})["is_clean"])

    def run(self, tests: Sequence[str], timeout_s: float, path: Path | None = None, source: str = "") -> Run:
        """Run tests.

        Args:
            tests: Their names.
            timeout_s: After this the process is killed, and all that it has started.
            path: The file that is changed, if one is.
            source: What is in it then.

        Raises:
            VerifyError: The server has ended.
        """
        request: dict[str, Any] = {"tests": list(tests), "timeout_s": timeout_s}
        answer = self._ask(request | ({"path": str(path), "source": source} if path else {}))
        return Run(
            tests={name: Outcome(**test) for name, test in answer.get("tests", {}).items()},
            errors=tuple(answer.get("errors", ())),
            ended=answer["ended"],
            seconds=answer["seconds"],
            is_complete="tests" in answer,
            is_applied=answer.get("is_applied", True),
        )

    def close(self) -> None:
        """End the process; what it runs ends with it."""
        # Another thread may be waiting for an answer.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._lines.write(json.dumps(request) + "\n")
            self._lines.flush()
            line = self._lines.readline()
        except OSError:
            line = ""
        if not line:
            raise VerifyError(f"the process that runs the {self._side.name} test has ended:\n{tail_of(self._log)}")
        answer: dict[str, Any] = json.loads(line)
        return answer
