"""The files of a project, as far as `init` looks into them: neither what was installed nor what is hidden."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, Any

from realservices.sources.patterns import own_folders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_DEEPEST = 10
_BUILT = ("build", "dist", "target", "vendor")
_OWN_TESTS = ("pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "realservices.toml")


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Return each directory and the names of its files, in order."""
    return own_folders(root, _BUILT, _DEEPEST)


def find_named(root: Path, name: str) -> list[Path]:
    """Return the files of a name, the ones nearest to the root first."""
    return find_any(root, (name,))


def find_any(root: Path, names: Collection[str]) -> list[Path]:
    """Return the files of some names, the ones nearest to the root first."""
    found = [here / name for here, files in walk(root) for name in files if name in names]
    return sorted(found, key=lambda path: (len(path.parts), path))


def text_of(path: Path) -> str:
    """Return what a file holds, "" if it cannot be read: a link in a checkout may lead to a developer's own machine."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def python_tree(text: str) -> ast.Module:
    """Return what Python makes of a file, and nothing of one that is none of this version's."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def table_of(content: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a table of a table as TOML has it; an empty one if there is none."""
    value = content.get(key, {})
    return value if isinstance(value, dict) else {}


def has_own_tests(root: Path, directory: Path) -> bool:
    """Return whether pytest, started in a directory below the project's, would take that for the project."""
    return directory != root and any((directory / name).is_file() for name in _OWN_TESTS)
