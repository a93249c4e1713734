"""The version, and every file that states it."""

from __future__ import annotations

import re
from pathlib import Path

from release.errors import ReleaseError

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-rc([1-9]\d*))?\Z")
_DEPENDENCY = r'(bazel_dep\(name = "rules_realservices", version = ")[^"]+(")'

# Each states the version once.
_PLACES = {
    "realservices/__init__.py": r'(__version__ = ")[^"]+(")',
    "MODULE.bazel": r'(    name = "rules_realservices",\n    version = ")[^"]+(")',
    "examples/monorepo/MODULE.bazel": _DEPENDENCY,
    "bench/workspace/MODULE.bazel.in": _DEPENDENCY,
    "docs/install.md": _DEPENDENCY,
}


def order(version: str) -> tuple[float, ...]:
    """Return what a version is ordered by.

    Raises:
        ReleaseError: It is none that Bazel and PyPI order in the same way: 1.2.3, or 1.2.3-rc1 before it.
    """
    found = _VERSION.match(version)
    if found is None:
        raise ReleaseError(f"{version!r} is no version: write MAJOR.MINOR.PATCH, as 1.2.3, or 1.2.3-rc1")
    *numbers, candidate = found.groups()
    return (*map(float, numbers), float(candidate) if candidate else float("inf"))


def current(root: Path) -> str:
    """Return the version that every place of a checkout states.

    Raises:
        ReleaseError: They do not agree.
    """
    stated = {path: _stated(root, path, pattern) for path, pattern in _PLACES.items()}
    if len(set(stated.values())) != 1:
        raise ReleaseError("the version differs: " + ", ".join(f"{path} has {text}" for path, text in stated.items()))
    return stated["MODULE.bazel"]


def with_version(root: Path, version: str) -> dict[str, str]:
    """Return the new text of each file that states the version, by its path below `root`."""
    return {
        path: re.sub(pattern, rf"\g<1>{version}\g<2>", (root / path).read_text(encoding="utf-8"))
        for path, pattern in _PLACES.items()
    }


def _stated(root: Path, path: str, pattern: str) -> str:
    found = list(re.finditer(pattern, (root / path).read_text(encoding="utf-8")))
    if len(found) != 1:
        raise ReleaseError(f"{path} states the version {len(found)} times; expected once, as {pattern}")
    begin, end = found[0].end(1), found[0].start(2)
    return found[0].string[begin:end]
