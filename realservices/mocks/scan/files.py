"""Find the Python files of a tree, and tell tests from what they test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_SKIPPED = frozenset(
    {"__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist", "bazel-bin", "bazel-out"}
)
_TEST_FOLDERS = frozenset({"test", "tests", "testing", "unit", "unit_tests", "testsuite", "t"})
_TEST_MODULES = ("conftest.py", "tests.py", "test.py")


class Found(NamedTuple):
    """What a walk has found.

    Attributes:
        files: Paths relative to the root, sorted.
        problems: Directories and links that could not be followed, and why.
    """

    files: list[Path]
    problems: list[tuple[Path, str]]


def python_files(root: Path) -> Found:
    """Return all Python files below a root: a directory once, however many links lead to it."""
    files: list[str] = []
    problems: list[tuple[Path, str]] = []
    seen: set[tuple[int, int]] = set()
    pending = [""]
    while pending:
        relative = pending.pop()
        _read_directory(root, relative, files, pending, problems, seen)
    return Found([Path(name) for name in sorted(files)], sorted(problems))


def _read_directory(
    root: Path,
    relative: str,
    files: list[str],
    pending: list[str],
    problems: list[tuple[Path, str]],
    seen: set[tuple[int, int]],
) -> None:
    try:
        facts = (root / relative).stat()
        if (facts.st_dev, facts.st_ino) in seen:
            return
        seen.add((facts.st_dev, facts.st_ino))
        entries = list(os.scandir(root / relative))
    except OSError as error:
        problems.append((Path(relative or "."), f"the directory cannot be read: {error.strerror or error}"))
        return
    for entry in entries:
        name = f"{relative}/{entry.name}" if relative else entry.name
        if _is_broken(entry):
            if entry.name.endswith(".py"):
                problems.append((Path(name), "it is a link that leads nowhere or to itself"))
        elif entry.name.endswith(".py") and entry.is_file():
            files.append(name)
        elif entry.is_dir() and not _is_skipped(entry):
            pending.append(name)


def _is_broken(entry: os.DirEntry[str]) -> bool:
    if not entry.is_symlink():
        return False
    try:
        entry.stat()
    except OSError:
        return True
    return False


def _is_skipped(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith((".", "bazel-")) or entry.name in _SKIPPED:
        return True
    return Path(entry.path, "pyvenv.cfg").exists()


def is_test_module(path: Path) -> bool:
    """Return whether pytest or unittest takes a file for one with tests, by its name."""
    name = path.name
    return name.startswith("test_") or name.endswith("_test.py") or name in _TEST_MODULES


def is_test_side(path: Path) -> bool:
    """Return whether a file belongs to the tests: it has some, or lies among them."""
    return is_test_module(path) or any(part in _TEST_FOLDERS for part in path.parts[:-1])
