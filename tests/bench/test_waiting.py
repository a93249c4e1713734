"""What waiting services cost: processes end while they are looked at."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import bench

# Its child has ended, and nobody has waited for it: a file of it that is opened tells so.
_WITH_A_DEAD_CHILD = """
import os, sys
if os.fork() == 0:
    os._exit(0)
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module, which belongs to the workspace that is measured."""
    path = Path(bench.__file__).parent / "workspace" / "warm" / "waiting.py"
    spec = importlib.util.spec_from_file_location("waiting", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "_IDLE_S", 0.01)
    return module


def test_a_process_that_has_ended_costs_nothing(waiting: ModuleType) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pid = process.pid
    assert set(waiting.costs({"pid": pid}).values()) == {0.0}


def test_a_child_that_has_ended_does_not_hide_its_parents_costs(waiting: ModuleType) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WITH_A_DEAD_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        assert waiting.costs({"pid": process.pid})["waiting_mb"] > 1
