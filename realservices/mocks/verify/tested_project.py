"""The project that a test belongs to, and which of its files are code under test."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from realservices.mocks.verify.errors import VerifyError
from realservices.mocks.verify.git_history import Repository, repository_of
from realservices.mocks.verify.worker.modules import OURS
from realservices.sources.project import project_root

_TEST_FOLDERS = {"test", "tests", "testing"}
_OTHERS = {"site-packages", "dist-packages", "node_modules", ".tox", ".nox", ".git"}
_TWIN = "mocked_"


@dataclass(frozen=True, kw_only=True)
class Project:
    """Where a project is.

    Attributes:
        root: Its top directory, without symbolic links: the git repository's where there is one.
        directory: Where pytest is run, at or below the root.
        repository: Its repository, if there is one.
    """

    root: Path
    directory: Path
    repository: Repository | None

    def relative(self, path: Path) -> str:
        """Return a path from the root, with slashes.

        Raises:
            VerifyError: It is outside of the project.
        """
        absolute = (self.directory / path).parent.resolve() / path.name
        if not absolute.is_relative_to(self.root):
            raise VerifyError(
                f"{path} is outside of the project {self.root}; run this command in the project of the test"
            )
        return absolute.relative_to(self.root).as_posix()

    def test_file(self, path: Path) -> str:
        """Return the path of a test file from the root.

        Raises:
            VerifyError: There is no such file, or it is outside of the project.
        """
        relative = self.relative(path)
        if not (self.root / relative).is_file():
            raise VerifyError(f"there is no file {path} in {self.directory}")
        return relative

    def is_under_test(self, path: str, sources: tuple[str, ...]) -> bool:
        """Return whether a file is code under test.

        Args:
            path: From the root.
            sources: Files and directories from the root to which the user restricts it; all if there are none.
        """
        if not path.endswith(".py") or is_test_code(path) or not _OTHERS.isdisjoint(PurePosixPath(path).parts):
            return False
        if any(place in (self.root / path).parents for place in _never_under_test() if place != self.root):
            return False
        return not sources or any(PurePosixPath(path).is_relative_to(source) for source in sources)


def find_project(directory: Path | None = None) -> Project:
    """Return the project of a directory, by default the current one."""
    directory = (directory or Path.cwd()).resolve()
    repository = repository_of(directory)
    root = repository.top.resolve() if repository else project_root(directory).resolve()
    return Project(root=root, directory=directory, repository=repository)


def _never_under_test() -> tuple[Path, ...]:
    return Path(OURS), Path(sys.prefix).resolve()


def is_test_code(path: str) -> bool:
    """Return whether a file is a test, or is there for tests, by its name and its folders."""
    *folders, name = PurePosixPath(path).parts
    if name in ("conftest.py", "testing.py") or name.startswith(("test_", _TWIN)):
        return True
    return name.endswith(("_test.py", "_test_mocked.py")) or not _TEST_FOLDERS.isdisjoint(folders)
