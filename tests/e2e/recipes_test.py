"""The projects in docs/recipes.md and docs/first_test.md: each is written into a directory as it stands there, and its commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.documented import projects
from tests.e2e.installed import Installed
from tests.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_TIMEOUT_S = 120
_RECIPES = projects("recipes.md")
_FIRST_TESTS = projects("first_test.md")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The package, and what the recipes are for."""
    return Installed(tmp_path_factory.mktemp("installed"), ROOT / "third_party" / "recipes" / "requirements.lock")


@pytest.fixture
def run(installed: Installed, tmp_path: Path) -> Callable[[str], str]:
    """Run a command in the directory of a recipe, as the active environment's user would, and return what it says."""
    programs = os.pathsep.join([os.path.dirname(installed.python), os.environ["PATH"]])

    def run(command: str) -> str:
        done = subprocess.run(
            shlex.split(command),
            cwd=tmp_path,
            env=installed.environment | {"PATH": programs},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        output = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}\n{output}"
        return output

    return run


def _check(output: str) -> None:
    assert re.search(r"[1-9]\d* passed|^Ran [1-9]\d* test", output, re.M), output
    assert not re.search(r"\d skipped", output), output


@pytest.mark.parametrize("title", _RECIPES)
def test_a_recipe_runs_as_it_is_written(run: Callable[[str], str], tmp_path: Path, title: str) -> None:
    recipe = _RECIPES[title]
    recipe.write(tmp_path)
    commands = list(recipe.follow(tmp_path))
    assert commands
    for command in commands:
        _check(run(command))


def test_the_first_tests_run_as_they_are_written(run: Callable[[str], str], tmp_path: Path) -> None:
    for command in _FIRST_TESTS["With pytest"].follow(tmp_path):
        _check(run(command))


def test_a_project_that_exists_gets_its_services(run: Callable[[str], str], tmp_path: Path) -> None:
    outputs = [run(command) for command in _FIRST_TESTS["A project that exists"].follow(tmp_path)]
    assert outputs[-1].startswith("postgresql://"), outputs


def test_django_finds_nothing_to_migrate(run: Callable[[str], str], tmp_path: Path) -> None:
    _RECIPES["Django, pytest-django"].write(tmp_path)
    output = run("python -m realservices exec -- python manage.py test --verbosity 2")
    assert "No migrations to apply." in output
    assert "Applying" not in output
