"""Projects, tests and scripts that pages show: each is written into a directory as it stands there, and run.

docs/recipes.md and docs/first_test.md have whole projects. Tests and scripts of other pages get imports and a schema here.
"""

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

# Tests of a page by name, and what stands before them in their file.
_TESTS = {
    "drivers.md": (("test_user_is_stored",), ""),
    "environment_variables.md": (("test_the_cache_answers",), ""),
    "isolation.md": (
        ("test_order_is_paid_once", "test_item_can_be_sold", "test_cache", "test_workers"),
        "import multiprocessing, pickle, asyncpg, pytest, redis\nuser = {'name': 'Ada'}\n",
    ),
    "performance.md": (("test_all_orders",), ""),
    "reference/fixtures.md": (("test_first",), ""),
}
_SCRIPTS = {"pytest.md": "All services healthy!", "reference/python.md": "PostgreSQL 18"}
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
_DECLARED = """
[tool.realservices.services]
cache = { kind = "redis" }
db = { kind = "postgres", migrations = ["schema.sql"] }
"""
_SCHEMA = "CREATE TABLE item (id serial PRIMARY KEY, name text);\nCREATE TABLE orders (id int PRIMARY KEY);\n"


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


def _blocks(page: str) -> list[str]:
    return _BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", _TESTS)
def test_the_tests_of_a_page_pass(run: Callable[[str], str], tmp_path: Path, page: str) -> None:
    names, before = _TESTS[page]
    (tmp_path / "pyproject.toml").write_text(_DECLARED, encoding="utf-8")
    (tmp_path / "schema.sql").write_text(_SCHEMA, encoding="utf-8")
    blocks = [block for block in _blocks(page) if any(f"def {name}(" in block for name in names)]
    (tmp_path / "test_page.py").write_text("\n".join([before, *blocks]), encoding="utf-8")
    # By `exec`, because one of them has no fixture: it finds its service by a variable.
    output = run("python -m realservices exec -- python -m pytest -q test_page.py")
    assert f"{len(names)} passed" in output, output


@pytest.mark.parametrize("page", _SCRIPTS)
def test_the_script_of_a_page_runs(run: Callable[[str], str], tmp_path: Path, page: str) -> None:
    (script,) = [block for block in _blocks(page) if "asyncio.run(" in block]
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    assert _SCRIPTS[page] in run("python script.py")


def test_a_project_that_exists_gets_its_services(run: Callable[[str], str], tmp_path: Path) -> None:
    outputs = [run(command) for command in _FIRST_TESTS["A project that exists"].follow(tmp_path)]
    assert outputs[-1].startswith("postgresql://"), outputs


def test_django_finds_nothing_to_migrate(run: Callable[[str], str], tmp_path: Path) -> None:
    _RECIPES["Django, pytest-django"].write(tmp_path)
    output = run("python -m realservices exec -- python manage.py test --verbosity 2")
    assert "No migrations to apply." in output
    assert "Applying" not in output
