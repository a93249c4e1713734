"""A project with a converted test, compared with its old version by the command that users have."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.installed import InstalledHere
from tests.mocks import command
from tests.scratch import ROOT

_TIMEOUT_S = 180
PYPROJECT = '[project]\nname = "shop"\nversion = "0"\n'
# SQLite is the real service here: it needs no start, and has tables and statements.
APP = """\
import sqlite3


def add(database, name, price=1):
    try:
        database.execute("INSERT INTO items (name, price) VALUES (?, ?)", (name, price))
    except sqlite3.IntegrityError:
        return False
    database.commit()
    return True


def price_of(database, name):
    row = database.execute("SELECT price FROM items WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None
"""
MOCKED = """\
from unittest.mock import MagicMock

from shop.items import add, price_of


def test_add():
    database = MagicMock()
    assert add(database, "pen")
    database.commit.assert_called_once()


def test_price():
    database = MagicMock()
    database.execute.return_value.fetchone.return_value = (3,)
    assert price_of(database, "pen") == 3
"""
REAL = """\
import sqlite3

import pytest

from shop.items import add, price_of


@pytest.fixture
def file(tmp_path):
    sqlite3.connect(tmp_path / "db").execute("CREATE TABLE items (name TEXT UNIQUE, price INT)").connection.close()
    return tmp_path / "db"


def test_add(file):
    database = sqlite3.connect(file)
    assert add(database, "pen")
    assert sqlite3.connect(file).execute("SELECT name FROM items").fetchall() == [("pen",)]
    assert not add(database, "pen")


def test_price(file):
    database = sqlite3.connect(file)
    add(database, "ink", 2)
    add(database, "pen", 3)
    assert price_of(database, "pen") == 3
    assert price_of(database, "cup") is None
"""


@functools.cache
def installed_once(directory: Path) -> InstalledHere:
    """Return the package as it is installed, with servers and coverage, once for all modules of a session.

    Args:
        directory: The session's.
    """
    return InstalledHere(directory / "installed-for-verify")


class Project:
    """A project below a directory.

    Args:
        directory: Where it is.
        files: What is in it, besides pyproject.toml.
    """

    def __init__(self, directory: Path, files: dict[str, str]) -> None:
        self.directory = directory
        self.python = sys.executable
        self.variables: dict[str, str] = {}
        directory.mkdir(parents=True, exist_ok=True)
        self.write({"pyproject.toml": PYPROJECT} | files)

    def write(self, files: dict[str, str]) -> None:
        """Write files."""
        for name, text in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def git(self, *arguments: str) -> None:
        """Run git."""
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(
            ["git", *who, *arguments], cwd=self.directory, env=self.environment, check=True, capture_output=True
        )

    def commit(self) -> None:
        """Commit all that is there, in a repository of its own."""
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a")

    def load_plugins(self) -> None:
        """Have pytest load all plugins that are installed, as people's does."""
        self.variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = ""

    def use(self, installed: InstalledHere) -> None:
        """Run everything with an installed package, its cache, and all plugins."""
        self.load_plugins()
        self.python = installed.python
        self.variables |= {"PYTHONPATH": "", "XDG_CACHE_HOME": installed.environment["XDG_CACHE_HOME"]}

    @property
    def environment(self) -> dict[str, str]:
        """A developer's environment."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        ours = {
            "PYTHONPATH": str(ROOT),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": str(self.directory.parent),
            # Each of the many runs of pytest would import them.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        return kept | ours | self.variables

    def command(self, *arguments: str) -> list[str]:
        """Return the command that compares tests."""
        return [self.python, "-m", "realservices", "migrate", "verify", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Compare."""
        if self.python == sys.executable:
            return command.run(self.directory, ["migrate", "verify", *arguments], self.environment)
        return subprocess.run(
            self.command(*arguments), cwd=self.directory, env=self.environment, capture_output=True, text=True,
            timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip

    def compare(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Compare one test file, and return what is said of it as JSON."""
        done = self.run("--json", *arguments)
        assert done.returncode == code, done.stdout + done.stderr
        content = json.loads(done.stdout)
        assert content["version"] == 1
        (found,) = content["files"]
        return dict(found)

    def error(self, *arguments: str) -> str:
        """Have a comparison fail, and return what is said."""
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (1, ""), done.stdout + done.stderr
        return done.stderr


def results(found: dict[str, Any], name: str = "") -> dict[tuple[str, str], str]:
    """Return of each mutant what became of it, by its change and its new line."""
    return {
        (each["change"], _new_line(each["diff"])): each["result"]
        for each in found["mutants"]
        if each["path"].endswith(name)
    }


def _new_line(diff: str) -> str:
    return next((line[1:].strip() for line in diff.splitlines() if line.startswith("+")), "")
