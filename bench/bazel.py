"""Runs Bazel in the benchmark's workspace and hands back what its events say."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.build_events import TestAttempt, read_action_ms, read_attempts
from bench.errors import BenchError

_LAST_LINES = 40


@dataclass(frozen=True)
class TestRun:
    """One ``bazel test``.

    Args:
        attempts: Every run of every test.
        action_ms: Wall times of whole test actions by label.
        wall_s: Of the command.
    """

    __test__ = False

    attempts: list[TestAttempt]
    action_ms: dict[str, list[float]]
    wall_s: float

    def outputs(self, label: str) -> list[dict[str, Any]]:
        """Return the result.json of each run of a target whose test writes one."""
        found = []
        for attempt in self.attempts:
            if attempt.label == label:
                text = (attempt.directory / "test.outputs/result.json").read_text(encoding="utf-8")
                found.append(json.loads(text))
        return found


class Bazel:
    """Bazel, for one workspace.

    Args:
        command: What runs it, such as ``[".../tools/bazelw"]``.
        workspace: Where to run it.
        flags: Flags of every build, after our own.
    """

    def __init__(self, command: Sequence[str], workspace: Path, flags: Sequence[str]) -> None:
        self._command = list(command)
        self.workspace = workspace
        self._flags = ["--symlink_prefix=/", "--color=no", "--curses=no", "--noshow_progress", *flags]

    def elsewhere(self, workspace: Path) -> Bazel:
        """Return the same Bazel for another workspace."""
        return Bazel(self._command, workspace, self._flags)

    def version(self) -> str:
        """Return what ``bazel --version`` says."""
        return self._run(["--version"]).strip()

    def build(self, targets: Sequence[str]) -> None:
        """Build targets."""
        self._run(["build", *self._flags, "--", *targets])

    def analyse(self, pattern: str) -> float:
        """Load and analyse targets, without building them; return the seconds that it took."""
        begin = time.monotonic()
        self._run(["build", "--nobuild", *self._flags, "--", pattern])
        return time.monotonic() - begin

    def cpu_s(self) -> float:
        """Return the processor time that the server has used, which other load on the machine changes little."""
        # User and system time, in ticks: fields 14 and 15, counted after the name in parentheses (proc_pid_stat(5)).
        fields = Path("/proc", self.info("server_pid"), "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def heap_bytes(self) -> int:
        """Return how much of its heap the server needs."""
        text = self.info("used-heap-size-after-gc")
        return int(text.removesuffix("MB")) << 20

    def shutdown(self) -> None:
        """End the workspace's server."""
        self._run(["shutdown"])

    def test(self, targets: Sequence[str], *flags: str, env: dict[str, int | str] | None = None) -> TestRun:
        """Run tests, none from the cache.

        Args:
            targets: What to test.
            *flags: More flags.
            env: Environment of the tests.

        Raises:
            BenchError: A test failed, was not run, or was not run in a sandbox.
        """
        events, profile = self.workspace / "events.json", self.workspace / "profile.gz"
        own = [
            "--nocache_test_results",
            "--nozip_undeclared_test_outputs",
            "--test_output=errors",
            "--build_event_json_file=events.json",
            "--profile=profile.gz",
            *(f"--test_env={name}={value}" for name, value in (env or {}).items()),
        ]
        begin = time.monotonic()
        self._run(["test", *self._flags, *own, *flags, "--", *targets])
        wall_s = time.monotonic() - begin
        with events.open(encoding="utf-8") as file:
            attempts = read_attempts(file)
        for attempt in attempts:
            if attempt.status != "PASSED" or attempt.is_cached:
                raise BenchError(f"{attempt.label} run {attempt.run} is no sample: {attempt}")
        return TestRun(attempts, read_action_ms(profile), wall_s)

    def info(self, key: str) -> str:
        """Return ``bazel info KEY`` for the flags of the builds."""
        return self._run(["info", *self._flags, key]).strip()

    def _run(self, arguments: list[str]) -> str:
        command = [*self._command, *arguments]
        done = subprocess.run(
            command,
            cwd=self.workspace,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            last = "\n".join([*done.stdout.splitlines(), *done.stderr.splitlines()][-_LAST_LINES:])
            raise BenchError(f"{' '.join(command)}\nin {self.workspace} exited with code {done.returncode}:\n{last}")
        return done.stdout
