"""What `tools/farm` says and leaves where there is no farm. It needs none of the farm's programs for that."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scratch import ROOT

_PROGRAM = ROOT / "tools" / "farm.d" / "farm.py"


def _run(state: Path, *options: str, project: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-E", "-s", "-B", str(_PROGRAM), "--project", str(project), "--state", str(state)]
    return subprocess.run(
        [*command, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_options_are_told() -> None:
    done = subprocess.run([ROOT / "tools" / "farm", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--workers N" in done.stdout
    assert "set -euo" not in done.stdout


@pytest.mark.parametrize("count", ["0", "65", "-1"])
def test_a_number_of_workers_that_makes_no_sense_is_refused(tmp_path: Path, count: str) -> None:
    done = _run(tmp_path, "--workers", count)
    assert done.returncode == 2
    assert f"--workers {count}: 1 to 64" in done.stderr


def test_what_does_not_start_is_named_with_its_last_lines_and_nothing_is_left(tmp_path: Path) -> None:
    state, project = tmp_path / "state", tmp_path / "project"
    (project / "realservices").mkdir(parents=True)
    (project / "realservices" / "__init__.py").touch()
    (project / "realservices" / "__main__.py").write_text("raise SystemExit('no room for a database')\n")
    state.mkdir()
    done = _run(state, project=project)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == ("farm: the farm's postgres does not run; its last lines:\n  | no room for a database\n")
    assert list(state.iterdir()) == []


def test_directories_of_killed_farms_are_removed_and_no_others(tmp_path: Path) -> None:
    for name in ("farm.left", "farm.serving", "home"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    serving = os.open(tmp_path / "farm.serving", os.O_RDONLY)
    fcntl.flock(serving, fcntl.LOCK_SH)
    try:
        _run(tmp_path, project=tmp_path)
    finally:
        os.close(serving)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["farm.serving", "home"]
