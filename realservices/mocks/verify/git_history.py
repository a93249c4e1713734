"""What git knows of a project, by its command."""

from __future__ import annotations

import os
from pathlib import Path

from realservices.mocks.git import GitError, run_git
from realservices.mocks.verify.errors import VerifyError


class Repository:
    """A git repository.

    Args:
        top: Its work tree.
    """

    def __init__(self, top: Path) -> None:
        self.top = top

    def revision(self, name: str) -> str:
        """Return the commit that a name stands for.

        Raises:
            VerifyError: There is none.
        """
        found = _git(self.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if found is None:
            raise VerifyError(f"git knows no revision {name!r} in {self.top}; `git log` shows those that there are")
        return found.decode().strip()

    def content(self, commit: str, path: str) -> bytes | None:
        """Return a file as it was at a commit, or None where that has no such file."""
        return _git(self.top, "cat-file", "blob", f"{commit}:{path}")

    def changed(self, commit: str) -> list[str]:
        """Return the files that differ from a commit, or that it does not have, untracked ones too."""
        changed = _git(self.top, "diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", commit) or b""
        untracked = _git(self.top, "ls-files", "--others", "--exclude-standard", "-z") or b""
        return sorted({os.fsdecode(name) for name in (changed + untracked).split(b"\0") if name})


def repository_of(directory: Path) -> Repository | None:
    """Return the repository that a directory belongs to, or None: it is in none, or there is no git."""
    found = _git(directory, "rev-parse", "--show-toplevel")
    return Repository(Path(os.fsdecode(found).rstrip("\n"))) if found else None


def _git(directory: Path, *arguments: str) -> bytes | None:
    try:
        return run_git(directory, *arguments)
    except GitError:
        return None
