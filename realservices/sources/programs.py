"""Where servers are on this machine when Bazel does not bring them: what kinds have in common of looking for one.

First what the environment names, then the wheels of the package's extras, then what the machine itself has.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
from pathlib import Path

from realservices.sources.errors import SettingError
from realservices.system.own_environment import own_environment

_VERSION_TIMEOUT_S = 10


def in_wheel(distribution: str, path: str) -> Path | None:
    """Return the path of what an installed wheel brings; None: it is not installed."""
    try:
        installed = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(str(installed.locate_file(path)))


def is_program(path: Path) -> bool:
    """Return whether this is a file that can be run."""
    return path.is_file() and os.access(path, os.X_OK)


def major_version(program: Path, pattern: str) -> int:
    """Return the major version that a program says it is.

    Args:
        program: It.
        pattern: Whose first group is the number.

    Raises:
        SettingError: It says no version.
    """
    done = subprocess.run(
        [str(program), "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=False,
        env=own_environment(),
    )  # fmt: skip
    found = re.search(pattern, done.stdout)
    if not found:
        raise SettingError(f"{program} --version says {(done.stdout + done.stderr).strip()!r}, which is no version")
    return int(found.group(1))


def named_program(variable: str, shown: str) -> Path | None:
    """Return the program that a variable names, None if it names none.

    Args:
        variable: It.
        shown: What to name in it.

    Raises:
        SettingError: It is no program.
    """
    named = os.environ.get(variable)
    if named and not is_program(Path(named)):
        raise SettingError(f"{variable}={named}: it is no executable file; name a {shown}")
    return Path(named) if named else None


def new_enough(program: Path, shown: str, *, pattern: str, oldest: int, variable: str) -> Path:
    """Return a program.

    Args:
        program: It.
        shown: What names it, for the message.
        pattern: As of `major_version`.
        oldest: The oldest major version that serves.
        variable: What another one can be named in.

    Raises:
        SettingError: It is too old, or says no version.
    """
    version = major_version(program, pattern)
    if version < oldest:
        raise SettingError(f"{shown} is version {version}; {oldest} or later is needed (set {variable} to one)")
    return program
