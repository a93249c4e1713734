"""The files of a project, as far as `init` looks into them: neither what was installed nor what is hidden."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEP = 7
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"
_SKIPPED = {"node_modules", "site-packages", "__pycache__", "build", "dist", "target", "vendor"}
_OWN_TESTS = ("pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "realservices.toml")


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each directory and the names of its files, in order."""
    for directory, folders, files in os.walk(root):
        here = Path(directory)
        if _VIRTUAL_ENVIRONMENT in files:
            folders.clear()
            continue
        is_deep = len(here.relative_to(root).parts) >= _DEEP
        folders[:] = [] if is_deep else sorted(name for name in folders if name[0] != "." and name not in _SKIPPED)
        yield here, sorted(files)


def find_named(root: Path, name: str) -> list[Path]:
    """Return the files of a name, the ones nearest to the root first."""
    found = [here / name for here, files in walk(root) if name in files]
    return sorted(found, key=lambda path: (len(path.parts), path))


def has_own_tests(root: Path, directory: Path) -> bool:
    """Return whether pytest, started in a directory below the project's, would take that for the project."""
    return directory != root and any((directory / name).is_file() for name in _OWN_TESTS)
