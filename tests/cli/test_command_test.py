"""`python -m realservices test`: which tests it has pytest run, and on what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host import places

_TESTS = """
import os
import pytest

@pytest.mark.unit
def test_small(): pass

@pytest.mark.integration
def test_middle(): assert os.environ.get("USE_REAL_SERVICES"), "a switch"

@pytest.mark.integration
async def test_with_a_database(isolated_database): pass

@pytest.mark.e2e
def test_large(): pass

def test_other(): pass
"""
_KEPT = ("PATH", "HOME", "TMPDIR")


def _run(directory: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (directory / "levels_test.py").write_text(_TESTS, encoding="utf-8")
    # No PostgreSQL: neither installed nor on PATH.
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {"PATH": "/nowhere"}
    environment["PYTHONPATH"] = os.pathsep.join([str(places.command_line()), *sys.path])
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | variables
    return subprocess.run(
        [sys.executable, "-m", "realservices", "test", *arguments], cwd=directory, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.rstrip().splitlines()[-1].strip("= ").rpartition(" in ")[0]


def test_a_level_on_real_services(tmp_path: Path) -> None:
    done = _run(tmp_path, "--level", "integration", "--real-services", "-p", "no:cacheprovider", "-W", "error")
    assert done.returncode == 1
    assert _last_line(done) == "1 passed, 3 deselected, 1 error", done.stdout + done.stderr
    assert "this test needs a postgres service" in done.stdout


def test_a_level_without_them(tmp_path: Path) -> None:
    done = _run(tmp_path, "--no-real-services", "--level=integration", "-rs")
    assert done.returncode == 0
    assert _last_line(done) == "1 passed, 1 skipped, 3 deselected", done.stdout + done.stderr
    assert "USE_REAL_SERVICES says no, and this test asks for isolated_database" in done.stdout


def test_all_tests_and_pytests_own_arguments(tmp_path: Path) -> None:
    done = _run(tmp_path, "levels_test.py", "-k", "small or other", "-v")
    assert done.returncode == 0
    assert _last_line(done) == "2 passed, 3 deselected", done.stdout + done.stderr
    assert "test_small PASSED" in done.stdout


def test_pytests_exit_code(tmp_path: Path) -> None:
    assert _run(tmp_path, "--level=unit", "-k", "nothing").returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_two_selections_by_marker(tmp_path: Path) -> None:
    done = _run(tmp_path, "--level=unit", "-m", "slow")
    assert done.returncode == 1
    assert done.stderr == "realservices test: --level unit selects by marker, and so does -m; use one of them\n"


def test_a_switch_that_is_none(tmp_path: Path) -> None:
    done = _run(tmp_path, TEST_ISOLATION="half")
    assert done.returncode == 1
    assert done.stderr.startswith("realservices test: TEST_ISOLATION='half' is neither on nor off; write true, 1,")
