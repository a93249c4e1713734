"""Bazel, asked about targets."""

from __future__ import annotations

import subprocess
import tempfile
from typing import TYPE_CHECKING

from realservices.ci_shard.errors import ShardError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PARTIAL = 3  # --keep_going, and something of the expression is not there.
_MOST_LINES = 8


class Bazel:
    """Bazel in one workspace.

    Args:
        command: The program, with its startup options.
        workspace: A directory of the workspace.
    """

    def __init__(self, command: Sequence[str], workspace: Path) -> None:
        self._command = list(command)
        self._workspace = workspace

    def query(self, expression: str, *options: str, may_lack: bool = False) -> str:
        """Return what ``bazel query`` prints.

        Args:
            expression: Of any length: it goes through a file.
            options: Of query.
            may_lack: Whether targets in it may be missing.

        Raises:
            ShardError: Bazel cannot be run, or refuses.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".query", encoding="utf-8") as file:
            file.write(expression)
            file.flush()
            keep_going = ("--keep_going",) if may_lack else ()
            command = [*self._command, "query", f"--query_file={file.name}", *keep_going, *options]
            try:
                done = subprocess.run(
                    command, cwd=self._workspace, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
                )
            except OSError as error:
                raise ShardError(
                    f"cannot run {self._command[0]}: {error.strerror}; name Bazel with --bazel or the variable BAZEL"
                ) from None
        if done.returncode and not (may_lack and done.returncode == _PARTIAL):
            said = "\n".join(done.stderr.strip().splitlines()[-_MOST_LINES:])
            raise ShardError(f"bazel query exited with {done.returncode} for {expression[:200]!r}:\n{said}")
        return done.stdout
