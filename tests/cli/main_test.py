"""The frame of the command line: names, usage, exit codes, and how it is started."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

import realservices
from tests.cli.command import run
from tests.host import places

_WITHOUT_JSON = {"exec", "fetch", "logs", "migrate", "restart", "stop", "test"}


def test_every_command_explains_itself() -> None:
    commands = re.findall(r"^    (\w+) ", run("--help").output, re.MULTILINE)
    assert set(commands) == {*_WITHOUT_JSON, "clean", "doctor", "init", "status", "up", "validate"}
    for command in commands:
        outcome = run(command, "--help")
        assert outcome.code == 0
        assert "Exit codes: " in outcome.output
        assert ("--json" in outcome.output) == (command not in _WITHOUT_JSON)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["cure"],
        ["doctor", "--all"],
        ["test", "--level=luck"],
        ["validate", "--require=luck"],
        ["logs"],
        ["logs", "x", "-n", "few"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert outcome.output == ""
    assert "usage: realservices" in outcome.errors


def test_an_error_is_one_line() -> None:
    outcome = run("validate", env={"REALSERVICES_RUNTIME": "/gone.json"})
    assert outcome.code == 1
    assert outcome.output == ""
    assert outcome.errors.startswith("realservices validate: cannot read runtime description /gone.json: ")
    assert len(outcome.errors.splitlines()) == 1


def test_who_reads_no_further_is_told_no_traceback() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "realservices", "clean", "--dry-run"],
        env={"PYTHONPATH": str(places.command_line())}, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")


def test_its_version() -> None:
    outcome = run("--version")
    assert (outcome.code, outcome.output) == (0, f"realservices {realservices.__version__}\n")


def test_the_archive_runs_it_as_bazel_run_does() -> None:
    root = places.command_line()
    archive = root if root.is_file() else root / "realservices"
    command = [sys.executable, "-I", "-S", "-B", str(archive), "program", "cli.main", "", "clean", "--help"]
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: realservices clean")
