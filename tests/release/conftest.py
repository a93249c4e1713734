"""Fixtures of these tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.scratch import ROOT

_PARTS = (
    ".bcr",
    ".github",
    "CHANGELOG.md",
    "LICENSE",
    "MODULE.bazel",
    "README.md",
    "bench/workspace/MODULE.bazel.in",
    "docs",
    "examples/monorepo/MODULE.bazel",
    "pyproject.toml",
    "realservices",
    "release",
    "third_party/release",
    "tools/release",
)


class Repository:
    """A git repository with what a release is made of."""

    def __init__(self, directory: Path, date: str = "2030-01-02T03:04:05Z") -> None:
        self.directory = directory
        self._date = date
        for part in _PARTS:
            target = directory / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / part, target)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit()

    def git(self, *arguments: str) -> str:
        """Run git, as somebody, at the repository's date."""
        environment = os.environ | {
            "GIT_AUTHOR_DATE": self._date,
            "GIT_AUTHOR_EMAIL": "somebody@example.com",
            "GIT_AUTHOR_NAME": "somebody",
            "GIT_COMMITTER_DATE": self._date,
            "GIT_COMMITTER_EMAIL": "somebody@example.com",
            "GIT_COMMITTER_NAME": "somebody",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.directory, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=all")

    def read(self, path: str) -> str:
        """Return a file's text."""
        return (self.directory / path).read_text(encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        (self.directory / path).write_text(text, encoding="utf-8")

    def give_it_an_owner(self) -> None:
        """Fill in the placeholder of .bcr, as an owner does before the first release."""
        self.write(".bcr/metadata.template.json", self.read(".bcr/metadata.template.json").replace("OWNER", "example"))
        self.commit()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """One, with a committer for what the release commits."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.com")
    return Repository(tmp_path / "repository")
