"""The stubs in sh: by which runfiles directory they start what they start."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PRIVATE = Path(__file__).parents[2] / "rules" / "private"


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """Return a test's stub whose interpreter prints what it is told."""
    interpreter = tmp_path / "interpreter"
    interpreter.write_text('#!/bin/sh\nprintf "%s\\n" "$RUNFILES_DIR" "$@"\n')
    interpreter.chmod(0o755)
    text = (PRIVATE / "test_stub.sh").read_text()
    words = {"interpreter": str(interpreter), "flags": "-I", "archive": "a.zip", "manifest": "m.json"}
    for name, value in words.items():
        text = text.replace(f"%{name}%", value)
    (tmp_path / "stub").write_text(text)
    return tmp_path / "stub"


def _started(stub: Path, cwd: str, **env: str) -> list[str]:
    command = ["/bin/sh", str(stub), "more"]
    return subprocess.run(command, cwd=cwd, env=env, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.parametrize(
    ("named", "directory"),
    [
        ("/there/runfiles", "/there/runfiles"),
        # As a remote worker has it whose actions run in the root directory.
        ("bazel-out/t.runfiles", "/bazel-out/t.runfiles"),
        ("//bazel-out/t.runfiles", "/bazel-out/t.runfiles"),
    ],
)
@pytest.mark.parametrize("variable", ["RUNFILES_DIR", "TEST_SRCDIR"])
def test_the_root_directory_as_working_directory(stub: Path, variable: str, named: str, directory: str) -> None:
    started = _started(stub, "/", **{variable: named})
    assert started == [directory, "-I", f"{directory}/a.zip", f"{directory}/m.json", "more"]


def test_another_working_directory(stub: Path, tmp_path: Path) -> None:
    directory = os.path.realpath(tmp_path)
    assert _started(stub, directory, RUNFILES_DIR="t.runfiles")[0] == f"{directory}/t.runfiles"
    assert _started(stub, directory)[0] == f"{stub}.runfiles"
