"""Where the old version of a converted test is: named by the user, beside it as its twin, or in git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from realservices.mocks.verify.errors import VerifyError

if TYPE_CHECKING:
    from realservices.mocks.verify.tested_project import Project

_HEAD = "HEAD"
_REMEDY = "name one with --old PATH or --old-revision REVISION"


@dataclass(frozen=True, kw_only=True)
class OldVersion:
    """The test as it was.

    Attributes:
        path: From the project's root.
        commit: The commit whose version it is; "" is the file as it is there now.
        revision: What the user calls that commit.
    """

    path: str
    commit: str = ""
    revision: str = ""

    @property
    def shown(self) -> str:
        """What people call it."""
        return f"{self.path} at {self.revision}" if self.commit else self.path


def twins(path: str) -> list[str]:
    """Return what the original of a converted test is called, beside it."""
    file = PurePosixPath(path)
    return [str(file.with_name(f"mocked_{file.name}")), str(file.with_name(f"{file.stem}_mocked.py"))]


def find_old_version(
    project: Project, test: str, *, old: Path | None = None, revision: str | None = None
) -> OldVersion:
    """Return the old version of a test.

    Args:
        project: Its project.
        test: Its path from the root.
        old: The file that the user names.
        revision: The revision that the user names.

    Raises:
        VerifyError: There is none, or it is the same as the new one.
    """
    if old is not None:
        path = project.test_file(old)
        if path == test:
            raise VerifyError(f"--old {old} is the new test itself; {_REMEDY}")
        return OldVersion(path=path)
    if revision is None:
        for twin in twins(test):
            if (project.root / twin).is_file():
                return OldVersion(path=twin)
    return _from_git(project, test, revision or _HEAD, is_named=revision is not None)


def _from_git(project: Project, test: str, revision: str, *, is_named: bool) -> OldVersion:
    names = " or ".join(PurePosixPath(twin).name for twin in twins(test))
    missing = "" if is_named else f"there is no {names} beside it, and "
    if project.repository is None:
        raise VerifyError(
            f"no old version of {test}: {missing}{project.root} is not in a git repository (or git is not "
            "installed); name the old file with --old PATH"
        )
    commit = project.repository.revision(revision)
    content = project.repository.content(commit, test)
    if content is None:
        raise VerifyError(f"no old version of {test}: {missing}{revision} has no such file; {_REMEDY}")
    if content == (project.root / test).read_bytes():
        raise VerifyError(f"no old version of {test}: {missing}at {revision} it is the same as now; {_REMEDY}")
    return OldVersion(path=test, commit=commit, revision=revision)
