"""The recipes of docs/recipes.md: each is written into a directory as it stands there, and its commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.e2e.installed import Installed
from tests.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_FILE = re.compile(r"\A# (\S+\.\w+)\n")
_TIMEOUT_S = 120


@dataclass
class _Recipe:
    """A section of the page.

    Attributes:
        files: Text by name.
        commands: What runs, in order.
    """

    files: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)


def _recipes() -> dict[str, _Recipe]:
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    found = {}
    for section in page.split("\n## ")[1:]:
        recipe = found[section.partition("\n")[0]] = _Recipe()
        for language, text in _BLOCK.findall(section):
            if language == "console":
                recipe.commands += re.findall(r"^\$ ([^#\n]*)", text, re.M)
            else:
                name = _FILE.match(text)
                assert name, f"a block without the name of its file: {text}"
                recipe.files[name.group(1)] = text
    return found


_RECIPES = _recipes()


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


def _write(recipe: _Recipe, directory: Path) -> None:
    for name, text in recipe.files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("title", _RECIPES)
def test_a_recipe_runs_as_it_is_written(run: Callable[[str], str], tmp_path: Path, title: str) -> None:
    recipe = _RECIPES[title]
    _write(recipe, tmp_path)
    assert recipe.commands
    for command in recipe.commands:
        output = run(command)
        assert re.search(r"[1-9]\d* passed|^Ran [1-9]\d* test", output, re.M), output
        assert not re.search(r"\d skipped", output), output


def test_django_finds_nothing_to_migrate(run: Callable[[str], str], tmp_path: Path) -> None:
    _write(_RECIPES["Django, pytest-django"], tmp_path)
    output = run("python -m realservices exec -- python manage.py test --verbosity 2")
    assert "No migrations to apply." in output
    assert "Applying" not in output
