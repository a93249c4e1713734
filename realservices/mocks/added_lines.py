"""The lines that a diff adds, by git: a gate in CI looks at new mocks only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError
from realservices.mocks.git import GitError, run_git

if TYPE_CHECKING:
    from pathlib import Path

_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")
ALL = range(1, 1 << 31)
"""Of a file that git does not know yet: each line is new."""


class DiffError(RealServicesError):
    """Git cannot say what is new."""


def added_lines(root: Path, revision: str) -> dict[str, list[range]]:
    """Return the lines that files have now and had not in a revision, by their paths relative to a directory.

    Args:
        root: A directory of a checkout.
        revision: What to compare with, such as "origin/main".

    Raises:
        DiffError: It is no checkout, git is not there, or the revision is unknown.
    """
    if revision.startswith("-"):
        raise DiffError(f"{revision!r} is no revision; name a branch, a tag or a commit, such as origin/main")
    _git(root, "rev-parse", "--git-dir")  # Else `git diff` compares two files, outside of a checkout.
    options = ("--unified=0", "--no-color", "--no-ext-diff", "--no-prefix", "--relative", "--find-renames")
    diff = _git(root, "-c", "core.quotePath=false", "diff", *options, revision, "--", "*.py")
    found = _parsed(diff)
    for name in _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", "*.py").split("\0"):
        if name:
            found[name] = [ALL]
    return found


def _parsed(diff: str) -> dict[str, list[range]]:
    found: dict[str, list[range]] = {}
    name = ""
    for line in diff.splitlines():
        if line.startswith("+++ "):
            # A name with a tab or a quote in it has a tab behind it, or is quoted.
            name = line[4:].rstrip("\t").strip('"')
        elif match := _HUNK.match(line):
            start, count = int(match[1]), int(match[2] or 1)
            if count:
                found.setdefault(name, []).append(range(start, start + count))
    return found


def _git(root: Path, *arguments: str) -> str:
    try:
        return run_git(root, *arguments).decode(errors="surrogateescape")
    except GitError as error:
        raise DiffError(f"new mocks in a diff are found by git: {error}") from None
