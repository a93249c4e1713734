"""Writes the workspace that the measurements build in: a user's module that depends on this checkout.

It lies in the cache directory, not below /tmp, which Bazel's sandbox replaces by one of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

_SOURCES = Path(__file__).parent / "workspace"
# So called in this repository because a BUILD file would make a package of our own module of each directory.
_TEMPLATE = ".in"


def cache_directory() -> Path:
    """Return the project's cache directory, the same as tools/bazelw's."""
    own = os.environ.get("REALSERVICES_CACHE_DIR")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rules_realservices"


def write_workspace(target: Path, *, checkout: Path) -> None:
    """Write every file of the workspace that differs from what is there, so that Bazel rebuilds no more than it must.

    Args:
        target: The workspace's directory.
        checkout: The ruleset to measure.
    """
    wanted = {"requirements.lock": _joined_lock(checkout)}
    for source in sorted(_SOURCES.rglob("*")):
        if source.is_file() and source.suffix != ".pyc":
            name = str(source.relative_to(_SOURCES))
            text = source.read_text(encoding="utf-8")
            wanted[name.removesuffix(_TEMPLATE)] = text.replace("%checkout%", str(checkout))
    # What an earlier version wrote would still be built.
    for old in target.rglob("*"):
        if old.is_file() and str(old.relative_to(target)) not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = target / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _joined_lock(checkout: Path) -> str:
    """Return the ruleset's own lock with what only the benchmark needs below it."""
    locks = (checkout / "third_party/python/requirements.lock", Path(__file__).parent / "requirements.lock")
    return "\n".join(lock.read_text(encoding="utf-8") for lock in locks)
