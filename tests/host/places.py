"""Where the tests of the launcher find what they run: the package, the server binaries, a template.

Under Bazel the targets' `env` names runfiles. Anywhere else POSTGRES_DISTRIBUTION and REDIS_SERVER are paths.
"""

from __future__ import annotations

import os
from pathlib import Path

import realservices

# The directory or zip that the package was loaded from: what goes onto an interpreter's sys.path.
PACKAGE_ROOT = Path(realservices.__file__).absolute().parent.parent


def command_line() -> Path:
    """Return the directory or zip with the package and its command line, which tests' own archive does not have."""
    return _place("COMMAND_LINE") if os.environ.get("COMMAND_LINE") else PACKAGE_ROOT


def postgres_distribution() -> Path:
    """Return the directory that holds bin, lib and share of PostgreSQL."""
    return _place("POSTGRES_DISTRIBUTION")


def redis_server() -> Path:
    """Return the redis-server binary."""
    return _place("REDIS_SERVER")


def clickhouse_server() -> Path:
    """Return ClickHouse's engine, a library."""
    return _place("CLICKHOUSE_SERVER")


def mariadb_server() -> Path:
    """Return the mariadbd binary."""
    return _place("MARIADB_SERVER")


def psql() -> str:
    """Return the psql binary of the distribution."""
    return str(postgres_distribution() / "bin" / "psql")


def _place(variable: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        raise LookupError(f"{variable} is not set: run this test with Bazel, or set it to a path")
    place = Path(os.environ.get("RUNFILES_DIR", "/")) / value
    if not place.exists():
        raise LookupError(f"{variable}={value}: {place} does not exist")
    return place.resolve()
