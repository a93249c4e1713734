"""Services that need nothing of each other start at the same time (4.1 of the implementation plan)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.dev.project import Project

_NAMES = ("auth", "backend", "frontend")


@pytest.fixture
def meeting(project: Project) -> str:
    """A directory in which servers meet. One after the other, none of them would ever be ready."""
    directory = project.directory / "meeting"
    directory.mkdir()
    return str(directory)


def _told(directory: str) -> dict[str, dict[str, Any]]:
    """Return what each server has written about itself."""
    told = {}
    for name in os.listdir(directory):
        with open(f"{directory}/{name}", encoding="utf-8") as file:
            told[name] = json.load(file)
    return told


def test_slow_services_start_together(project: Project, meeting: str) -> None:
    project.declare(**{name: f'args = "--meets {meeting}:{len(_NAMES)}"' for name in _NAMES})
    project.output("""
        async def main():
            async with DevLauncher(LauncherConfig(startup_timeout=20)) as launcher:
                assert sorted(launcher.endpoints) == ["auth", "backend", "frontend"]
                assert all(elapsed_ms >= 300 for elapsed_ms in launcher.startup_ms.values()), launcher.startup_ms
    """)
    told = _told(meeting)
    assert sorted(told) == list(_NAMES)
    begun = [each["begun"] for each in told.values()]
    ready = [each["ready"] for each in told.values()]
    assert max(begun) < min(ready), "there is no moment at which all were starting"
    assert max(ready) - min(begun) < sum(ready) - sum(begun), "together it took as long as one after the other"


def test_what_a_service_needs_is_ready_before_it_begins(project: Project, meeting: str) -> None:
    project.declare(
        auth=f'args = "--meets {meeting}:1"',
        backend=f'args = "--meets {meeting}:1"\nservices = ["auth"]',
    )
    project.output("""
        async def main():
            async with DevLauncher():
                pass
    """)
    told = _told(meeting)
    assert told["auth"]["ready"] < told["backend"]["begun"]


def test_one_failure_names_itself_and_ends_those_that_are_starting(project: Project, meeting: str) -> None:
    # The others wait for one that never comes.
    others = f'args = "--meets {meeting}:4"'
    ends = f'args = "--meets {meeting}:3 --ends-then"'
    project.declare(auth=others, backend=ends, frontend=others)
    output = project.output("""
        async def main():
            launcher = DevLauncher()
            assert await launcher.run() is False
            assert launcher.endpoints == {}
            print(launcher.failure)
    """)
    assert output.startswith("service 'backend' (")
    assert "exited with code 1 after " in output
    assert "    no licence found\n  not started because of it, or given up: auth, frontend\n" in output
    told = _told(meeting)
    assert sorted(told) == list(_NAMES)
    for each in told.values():
        with pytest.raises(ProcessLookupError):
            os.kill(each["pid"], 0)
