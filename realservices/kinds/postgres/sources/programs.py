"""Where a PostgreSQL is on this machine when Bazel does not bring it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.kinds.postgres.kind import KIND
from realservices.kinds.postgres.sources.completed import IN_WHEEL, WHEEL, completed
from realservices.sources.errors import MissingServiceError, SettingError
from realservices.sources.missing import explain_uninstalled
from realservices.sources.programs import in_wheel, is_program, major_version

if TYPE_CHECKING:
    from collections.abc import Sequence

_VARIABLE = KIND.program_variable
_PROGRAMS = ("bin/postgres", "bin/initdb", "bin/psql")
# Where distributions of Linux and Homebrew put PostgreSQL, which is not on PATH there.
_USUAL = ("/usr/lib/postgresql/*", "/usr/pgsql-*", "/opt/homebrew/opt/postgresql@*", "/usr/local/opt/postgresql@*")
_OLDEST = 14


def postgres_distribution() -> Path:
    """Return a directory with bin, lib and share of a PostgreSQL.

    Raises:
        SettingError: The environment names one that is none, or too old.
        MissingServiceError: There is none.
    """
    named = os.environ.get(_VARIABLE)
    if named:
        lacking = [program for program in _PROGRAMS if not is_program(Path(named, program))]
        if lacking:
            raise SettingError(
                f"{_VARIABLE}={named}: it has no {', '.join(lacking)}; name a directory like /usr/lib/postgresql/17"
            )
        return _new_enough(Path(named), f"{_VARIABLE}={named}")
    found = in_wheel(WHEEL, IN_WHEEL)
    if found and all(is_program(found / program) for program in _PROGRAMS):
        return completed(found) or found
    for candidate in _machines_own():
        if all(is_program(candidate / program) for program in _PROGRAMS):
            return _new_enough(candidate, str(candidate))
    raise MissingServiceError(KIND.name, explain_uninstalled(KIND.name, _VARIABLE))


def _machines_own() -> Sequence[Path]:
    on_path = shutil.which("postgres")
    first = [Path(on_path).resolve().parent.parent] if on_path else []
    usual = [found for pattern in _USUAL for found in Path("/").glob(pattern.removeprefix("/"))]
    return [*first, *sorted(usual, key=_number, reverse=True)]


def _number(path: Path) -> int:
    digits = re.search(r"\d+$", path.name)
    return int(digits.group()) if digits else 0


def _new_enough(distribution: Path, shown: str) -> Path:
    version = major_version(distribution / "bin" / "postgres", r"\(PostgreSQL\) (\d+)")
    if version < _OLDEST:
        raise SettingError(f"{shown} is PostgreSQL {version}; {_OLDEST} or later is needed")
    return distribution
