"""This package as a program of its own: how its launcher's side is started from a test process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import realservices

PROJECTS_PYTHON = "REALSERVICES_PYTHON"
"""Names the interpreter of the project's own environment, where this package runs in another one."""


def interpreter() -> str:
    """Return the interpreter's path, the same for all names that it has in its directory.

    The command ``pytest`` runs on ``python3`` where ``python -m pytest`` runs on ``python``, which is all the same.
    """
    plain = Path(sys.executable).with_name("python")
    return str(plain) if plain.exists() and plain.samefile(sys.executable) else sys.executable


def projects_interpreter() -> str:
    """Return what ``{python}`` stands for in a project's declarations."""
    return os.environ.get(PROJECTS_PYTHON) or interpreter()


def package_command(*arguments: str) -> list[str]:
    """Return the command that runs the package's tools: without site-packages, which they do without."""
    directory = Path(realservices.__file__).parent
    # Within an archive, that is the program.
    program = directory if directory.is_dir() else directory.parent
    return [interpreter(), "-I", "-S", "-B", str(program), *arguments]
