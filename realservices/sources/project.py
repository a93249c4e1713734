"""Where a project is, and whether it says anything about services. Each pytest session asks: little is imported."""

from __future__ import annotations

from pathlib import Path

FILES = ("realservices.toml", "pyproject.toml")
"""Where a project's services are declared (declarations.py), and by which its directory is known."""
_MARK = b"realservices"


def project_root(here: Path | None = None) -> Path:
    """Return the project's directory: the nearest one from here upwards that can declare services, else here.

    Args:
        here: By default the current directory.
    """
    here = here or Path.cwd()
    return next((path for path in (here, *here.parents) if any((path / name).is_file() for name in FILES)), here)


def may_declare(root: Path) -> bool:
    """Return whether a project's files mention this package at all."""
    for name in FILES:
        try:
            if _MARK in (root / name).read_bytes() or name == FILES[0]:
                return True
        except OSError:
            continue
    return False
