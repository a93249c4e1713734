"""One run of a test file under coverage: what became of its tests, and which lines each has run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.dev.settings import USE_REAL_SERVICES
from realservices.mocks.verify.errors import VerifyError
from realservices.system.own_environment import own_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NO_COVERAGE = 77
_LOG_LINES = 15
# What of a surrounding pytest or coverage would be taken for the tests' own, and what has both sides run on mocks.
_NOT_PASSED_ON = (
    "PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG",
    USE_REAL_SERVICES,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a test.

    Attributes:
        outcome: As pytest says: passed, failed, skipped, xfailed, xpassed; unfinished where the process ended in it.
        seconds: How long it took, its fixtures included.
        reason: What pytest says of a failure or a skip.
    """

    outcome: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two tests, and how it is run.

    Attributes:
        name: "old" or "new".
        test: The file.
        directory: Where pytest runs.
        scratch: A directory for what it writes.
        arguments: What the user adds to pytest's.
        environment: What the tests find in their environment, besides this process's own.
    """

    name: str
    test: Path
    directory: Path
    scratch: Path
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """Return the environment of a process that runs tests and leaves nothing in the project's tree."""
        kept = {name: value for name, value in own_environment().items() if name not in _NOT_PASSED_ON}
        ours = {
            "PYTHONDONTWRITEBYTECODE": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.scratch / "hypothesis"),
            "COVERAGE_CORE": "ctrace",  # Others cannot tell which test runs.
        }
        return {**kept, **ours, **self.environment}


@dataclass(frozen=True, kw_only=True)
class Covered:
    """What a run under coverage has found.

    Attributes:
        tests: By name within the file.
        errors: What failed before there were tests.
        lines: By file from the project's root and line, the tests that ran it; "" for none in particular.
        modules: Modules from outside of the project that it imported.
    """

    tests: dict[str, Outcome]
    errors: tuple[str, ...]
    lines: dict[str, dict[int, frozenset[str]]]
    modules: tuple[str, ...]

    def passing(self) -> list[str]:
        """Return the tests that passed."""
        return [name for name, test in self.tests.items() if test.outcome == "passed"]

    def covering(self, path: str, lines: Iterable[int], tests: Iterable[str]) -> list[str]:
        """Return which of some tests run any of some lines of a file; what no test runs by itself counts for each."""
        found = self.lines.get(path, {})
        names = frozenset[str]().union(*(found.get(line, frozenset()) for line in lines))
        return list(tests) if "" in names else [name for name in tests if name in names]


class Runs:
    """Processes that run tests, and that can be ended from another thread, with all that they have started."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._has_ended = False

    def run(self, command: Sequence[str], side: Side, log: Path) -> int:
        """Run a command and return its exit code."""
        with log.open("wb") as output, self._lock:
            if self._has_ended:
                return -signal.SIGKILL
            process = subprocess.Popen(
                command, cwd=side.directory, env=side.variables(), stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, process_group=0,
            )  # fmt: skip
            self._running.append(process)
        return process.wait()

    def end(self) -> None:
        """End what runs; nothing runs from now on."""
        with self._lock:
            self._has_ended = True
            for process in self._running:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)


def run_covered(side: Side, root: Path, runs: Runs) -> Covered:
    """Run a test file under coverage.

    Args:
        side: The test.
        root: The project's root.
        runs: By what the run can be ended.

    Raises:
        VerifyError: pytest did not come to an end.
    """
    request, result = side.scratch / "request.json", side.scratch / "covered.json"
    content = {"test": str(side.test), "arguments": side.arguments, "scratch": str(side.scratch), "root": str(root)}
    request.write_text(json.dumps(content), encoding="utf-8")
    command = [sys.executable, "-m", "realservices.mocks.verify.worker.covered_run", str(request), str(result)]
    log = side.scratch / "covered.log"
    code = runs.run(command, side, log)
    if code == _NO_COVERAGE:
        raise VerifyError(
            f"the package coverage is not installed in {sys.prefix}: pip install 'rules-realservices[migrate]'"
        )
    if code or not result.exists():
        raise VerifyError(f"the {side.name} test {side.test.name} does not run: exit code {code}\n{tail_of(log)}")
    return _covered(side, root, json.loads(result.read_bytes()), log)


def tail_of(log: Path) -> str:
    """Return the last lines of a log, indented."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-_LOG_LINES:])


def _covered(side: Side, root: Path, content: dict[str, Any], log: Path) -> Covered:
    if not content["tests"] and not content["errors"]:
        raise VerifyError(f"pytest finds no test in the {side.name} {side.test.name}:\n{tail_of(log)}")
    lines = {
        os.path.relpath(path, root): {int(line): frozenset(names) for line, names in found.items()}
        for path, found in content["lines"].items()
    }
    tests = {name: Outcome(**test) for name, test in content["tests"].items()}
    return Covered(tests=tests, errors=tuple(content["errors"]), lines=lines, modules=tuple(content["modules"]))
