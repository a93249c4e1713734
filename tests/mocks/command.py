"""Run `realservices …` as a user does, each time in a fork of a process that has imported it already."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
_TIMEOUT_S = 180
# An interpreter's start and the imports take longer than most commands. tests/cli start the program itself.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        __name__,
        *(
            f"realservices.{name}"
            for name in ("mocks.scan", "mocks.verify.comparison_text", "mocks.verify.verify_session")
        ),
    ]
)


def run(directory: Path, arguments: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Return a finished command.

    Args:
        directory: Where it runs.
        arguments: Without the program's name.
        environment: All of its variables.

    Raises:
        subprocess.TimeoutExpired: It does not end.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = (Path(scratch, "output"), Path(scratch, "errors"))
        process = _FORKS.Process(target=_be_command, args=(directory, arguments, dict(environment), files))
        process.start()
        process.join(_TIMEOUT_S)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, _TIMEOUT_S)
        output, errors = (path.read_text(encoding="utf-8") for path in files)
        return subprocess.CompletedProcess(arguments, process.exitcode, output, errors)


def _be_command(directory: Path, arguments: list[str], environment: dict[str, str], files: tuple[Path, Path]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    for number, path in enumerate(files, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    raise SystemExit(main(arguments))


def migrate(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return the finished command `realservices migrate …`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("BUILD_WORKING_DIRECTORY", None)
    return run(directory, ["migrate", *arguments], environment)


def migrate_json(directory: Path, *arguments: str) -> dict[str, Any]:
    """Return what the command prints as JSON."""
    done = migrate(directory, *arguments, "--json")
    content: dict[str, Any] = json.loads(done.stdout)
    return content
