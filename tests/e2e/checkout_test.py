"""What docs/install.md says: the package and the ruleset from a git repository, an archive and a directory."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e.documented import projects
from tests.e2e.installed import Environment
from tests.scratch import ROOT, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PARTS = (
    "MODULE.bazel",
    "BUILD.bazel",
    "README.md",
    "LICENSE",
    "pyproject.toml",
    "realservices",
    "rules",
    "services",
    "third_party",
)
_PAGE = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
_PIP_LINES = re.findall(r"^\$ pip install '(.*)'$", _PAGE, re.M)
_OVERRIDES = re.findall(r"^\w+_override\($.*?^\)$", _PAGE, re.M | re.S)
_GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@example.com")


@dataclass(frozen=True)
class _Checkout:
    """A copy of this project in all three forms."""

    directory: Path
    archive: Path
    commit: str

    def in_place(self, text: str) -> str:
        """Put these places where the page has its examples."""
        integrity = base64.b64encode(hashlib.sha256(self.archive.read_bytes()).digest()).decode()
        for shown, real in (
            ("https://git.example.com/rules_realservices/COMMIT.tar.gz", self.archive.as_uri()),
            ("https://git.example.com/rules_realservices.git", f"file://localhost{self.directory}"),
            ("/path/to/rules_realservices", str(self.directory)),
            ("sha256-…", f"sha256-{integrity}"),
            ("COMMIT", self.commit),
        ):
            text = text.replace(shown, real)
        return text


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> _Checkout:
    """A git repository of what this directory holds, and an archive of its commit."""
    top = tmp_path_factory.mktemp("checkout")
    directory = top / "rules_realservices"
    directory.mkdir()
    for name in _PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, directory)
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "All")):
        subprocess.run([*_GIT, *command], cwd=directory, check=True)
    commit = subprocess.check_output([*_GIT, "rev-parse", "HEAD"], cwd=directory, text=True).strip()
    archive = top / f"{commit}.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for name in _PARTS:
            file.add(directory / name, f"rules_realservices-{commit}/{name}")
    return _Checkout(directory, archive, commit)


class _Empty:
    """A virtual environment that has nothing at first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._environment = Environment(directory)
        self._versions = directory / "versions.txt"
        self._versions.write_text("\n".join(_locked_versions()), encoding="utf-8")

    def install(self, requirement: str) -> None:
        """Install as the page says; which versions pip finds is the lock's choice."""
        self._environment.install("-c", str(self._versions), requirement)

    def pytest(self, text: str) -> str:
        """Run a test file and return what pytest says."""
        (self._directory / "test_first.py").write_text(text, encoding="utf-8")
        command = [self._environment.python, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "test_first.py"]
        own = self._environment.environment
        done = subprocess.run(command, cwd=self._directory, env=own, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> _Empty:
    """An environment for all ways; each replaces what the one before has installed."""
    return _Empty(tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize("line", _PIP_LINES, ids=["directory", "git", "archive"])
def test_a_first_test_passes(checkout: _Checkout, empty: _Empty, line: str) -> None:
    empty.install(checkout.in_place(line))
    (first,) = re.findall(r"^```python\n(async def .*?)^```", _PAGE, re.M | re.S)
    output = empty.pytest(first)
    assert "1 passed" in output, output


def _locked_versions() -> list[str]:
    lock = (ROOT / "third_party" / "python" / "requirements.lock").read_text(encoding="utf-8")
    return re.findall(r"^([\w.-]+==\S+)", lock, re.M)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace of a user's, whose Bazel ends with the tests."""
    found = Workspace(tmp_path_factory.mktemp("workspace"))
    yield found
    found.end()


@pytest.mark.parametrize("override", _OVERRIDES, ids=["git", "archive", "directory"])
def test_bazel_takes_it_by_each_override(checkout: _Checkout, workspace: Workspace, override: str) -> None:
    line = re.findall(r"^bazel_dep.*$", _PAGE, re.M)[0]
    workspace.write("MODULE.bazel", f'module(name = "user")\n{line}\n{checkout.in_place(override)}\n')
    workspace.write(
        "BUILD.bazel",
        'load("@rules_realservices//rules:defs.bzl", "redis_service")\nredis_service(name = "cache", databases = 8)\n',
    )
    assert "//:cache" in workspace.output_of("query", "deps(//:cache, 1)")


def test_the_first_test_with_bazel_runs_as_it_is_written(checkout: _Checkout, workspace: Workspace) -> None:
    line = re.findall(r"^bazel_dep.*$", _PAGE, re.M)[0]
    workspace.write("MODULE.bazel", f'module(name = "user")\n{line}\n{checkout.in_place(_OVERRIDES[-1])}\n')
    for command in projects("first_test.md")["With Bazel"].follow(workspace.directory):
        program, *arguments = command.split()
        assert program == "bazel"
        assert re.search(r"^//:login_test +PASSED", workspace.output_of(*arguments), re.M)
