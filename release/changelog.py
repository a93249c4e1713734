"""CHANGELOG.md: the open section becomes that of a version, and is a release's notes."""

from __future__ import annotations

import re

from release.errors import ReleaseError

_OPEN = "## Unreleased\n"
_HEADING = re.compile(r"^## .*$", re.M)


def close(text: str, version: str, date: str) -> str:
    """Return the changelog with its open section as that of a version, below a new and empty one.

    Args:
        text: The changelog.
        version: As 1.2.3.
        date: As 2030-12-31.

    Raises:
        ReleaseError: Nothing is open, or the version has a section already.
    """
    if text.count(_OPEN) != 1:
        raise ReleaseError(f"CHANGELOG.md has {text.count(_OPEN)} sections '## Unreleased'; expected one")
    if not section(text, "Unreleased").strip():
        raise ReleaseError("CHANGELOG.md has nothing below '## Unreleased': what is released?")
    if _find(text, version) is not None:
        raise ReleaseError(f"CHANGELOG.md has a section for {version} already")
    return text.replace(_OPEN, f"{_OPEN}\n## {version} ({date})\n")


def section(text: str, version: str) -> str:
    """Return what stands below a version's heading.

    Raises:
        ReleaseError: There is no such heading.
    """
    heading = _find(text, version)
    if heading is None:
        raise ReleaseError(f"CHANGELOG.md has no section '## {version}'")
    following = _HEADING.search(text, heading.end())
    return text[heading.end() : following.start() if following else None].strip() + "\n"


def _find(text: str, version: str) -> re.Match[str] | None:
    return re.search(rf"^## {re.escape(version)}(?: \(.*\))?$", text, re.M)
