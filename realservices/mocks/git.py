"""What git says of a directory, by its command."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_S = 120.0


class GitError(RealServicesError):
    """Git is not there, or refuses."""


class GitTimeoutError(RealServicesError):
    """Git does not answer."""


def run_git(directory: Path, *arguments: str) -> bytes:
    """Return what a command of git prints.

    Args:
        directory: Where it runs.
        arguments: The command and its options.

    Raises:
        GitError: Git is not there, or refuses.
        GitTimeoutError: It does not answer.
    """
    command = ["git", "-C", str(directory), *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except FileNotFoundError:
        raise GitError("git is not on PATH") from None
    except subprocess.TimeoutExpired:
        raise GitTimeoutError(f"`{' '.join(command)}` has not ended within {_TIMEOUT_S:.0f} s") from None
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip()
        raise GitError(f"`{' '.join(command)}` exited with code {done.returncode}: {why}")
    return done.stdout
