"""This package as a program of its own: how its launcher's side is started from a test process."""

from __future__ import annotations

import sys
from pathlib import Path

import realservices


def package_command(*arguments: str) -> list[str]:
    """Return the command that runs the package's tools: without site-packages, which they do without."""
    directory = Path(realservices.__file__).parent
    # Within an archive, that is the program.
    program = directory if directory.is_dir() else directory.parent
    return [sys.executable, "-I", "-S", "-B", str(program), *arguments]
