"""Where the project of a directory of tests begins, so that patched names can be followed into it; its commit."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git", "MODULE.bazel", "WORKSPACE", "realservices.toml")
_GIT_TIMEOUT_S = 10.0


def project_around(path: Path) -> Path:
    """Return the project that a file or directory belongs to: the nearest directory with a project's file, else itself.

    Args:
        path: Resolved.
    """
    here = path if path.is_dir() else path.parent
    return next((folder for folder in (here, *here.parents) if any((folder / mark).exists() for mark in _MARKS)), here)


def commit_of(root: Path) -> str:
    """Return the commit of a checkout, "" where it is none or git is not there."""
    git = shutil.which("git")
    if not git:
        return ""
    try:
        command = [git, "-C", str(root), "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
