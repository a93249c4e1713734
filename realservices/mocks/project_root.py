"""Where the project of a directory of tests begins, so that patched names can be followed into it; its commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.git import GitError, GitTimeoutError, run_git

if TYPE_CHECKING:
    from pathlib import Path

_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git", "MODULE.bazel", "WORKSPACE", "realservices.toml")


def project_around(path: Path) -> Path:
    """Return the project that a file or directory belongs to: the nearest directory with a project's file, else itself.

    Args:
        path: Resolved.
    """
    here = path if path.is_dir() else path.parent
    return next((folder for folder in (here, *here.parents) if any((folder / mark).exists() for mark in _MARKS)), here)


def commit_of(root: Path) -> str:
    """Return the commit of a checkout, "" where it is none or git is not there."""
    try:
        return run_git(root, "rev-parse", "HEAD").decode().strip()
    except (GitError, GitTimeoutError):
        return ""
