"""By what `init` finds out that a project uses PostgreSQL, and how its schema is made."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING

from realservices.cli.proposal.django_services import add_databases
from realservices.cli.proposal.kind_hints import KindHints, is_anothers
from realservices.cli.proposal.proposed_layout import proposed_layout
from realservices.cli.proposal.proposed_schema import add_migrator, add_migrators_environment, ask_for_schema
from realservices.cli.proposal.sql_questions import sql_questions
from realservices.kinds.postgres.kind import KIND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.cli.proposal.project_evidence import Evidence, Variable
    from realservices.cli.proposal.proposed_toml import Proposal
    from realservices.cli.proposal.sql_folders import SqlFiles

# As sources/completed.py brings them.
_FETCHED = re.compile(r"\b(?:pgcrypto|uuid-ossp)\b")
# Clients take it where no port is named; a migrator has it anyway.
_PORT = "PGPORT"
_SQLALCHEMY = {"sqlalchemy", "sqlmodel", "flask-sqlalchemy", "advanced-alchemy"}
# The driver that SQLAlchemy takes for the URL of a driver that it is not told.
_DRIVERS = {
    "asyncpg": "asyncpg",
    "psycopg": "psycopg",
    "psycopg-binary": "psycopg",
    "psycopg2": "",
    "psycopg2-binary": "",
}


class _Postgres(KindHints):
    images = ("postgres", "postgis", "pgvector", "timescaledb", "postgresql")
    packages = (
        "asyncpg", "psycopg", "psycopg-binary", "psycopg2", "psycopg2-binary", "pg8000", "tortoise-orm",
        "npm:pg", "npm:postgres", "npm:pg-promise", "npm:@prisma/adapter-pg", "npm:@vercel/postgres",
        "go:github.com/jackc/pgx", "go:github.com/lib/pq", "go:gorm.io/driver/postgres",
        "cargo:tokio-postgres", "cargo:deadpool-postgres", "cargo:sqlx/postgres", "cargo:diesel/postgres",
        "cargo:diesel-async/postgres", "cargo:sea-orm/postgres",
        "gem:pg", "maven:org.postgresql:postgresql", "maven:org.postgresql:r2dbc-postgresql",
        "hex:postgrex", "composer:ext-pgsql", "composer:ext-pdo_pgsql",
    )  # fmt: skip
    service = "db"
    words = r"POSTGRES(?:QL)?|PG|DB|DATABASE|SQL(?:ALCHEMY)?"
    schemes = ("postgres", "postgresql")
    given = ("DATABASE_URL",)
    migrators_names = "DATABASE_URL and PG*"
    migrated = 1
    schema_key = "migrations"
    page = "docs/schema.md"

    def reasons(self, found: Evidence) -> Iterable[str]:
        return found.sql.patterns[-1:] if found.sql else ()

    def form_of(self, variable: Variable, found: Evidence) -> str:
        """Return the one driver with which the project's SQLAlchemy would use a URL that is not known."""
        drivers = {form for package, form in _DRIVERS.items() if package in found.dependencies}
        is_mapped = variable.is_read and not found.aliases and not _SQLALCHEMY.isdisjoint(found.dependencies)
        return drivers.pop() if is_mapped and len(drivers) == 1 else ""

    def add_schema(self, proposal: Proposal, found: Evidence) -> None:
        lines = proposal.services[KIND.name]
        if proposal.migrated == KIND.name:
            add_migrator(proposal, found, KIND.name, self)
        elif found.sql:
            lines.append(f"migrations = {json.dumps(found.sql.patterns)}")
            _add_layout(proposal, found, found.sql)
            if found.sql.seed:
                lines.append(f"seeds = {json.dumps([found.sql.seed])}")
        else:
            ask_for_schema(proposal, self)

    def add_environment(self, proposal: Proposal, found: Evidence) -> None:
        if "tortoise-orm" in found.dependencies:  # It does not know postgresql://.
            plain, its = f"$(url {self.service})", f"$(url {self.service} postgres)"
            proposal.env = {name: its if value == plain else value for name, value in proposal.env.items()}
        references = proposal.env.values()
        if f"$(host {self.service})" in references and f"$(port {self.service})" not in references:
            # Code that names a host alone means 5432, which is a developer's own server. Clients take this one instead.
            proposal.env[_PORT] = f"$(port {self.service})"
        if proposal.migrated != KIND.name:
            return
        add_migrators_environment(proposal, found, KIND.name, self, apart=_PORT)
        if found.aliases:
            add_databases(proposal, found, kind=KIND.name, service=self.service)

    def ask(self, proposal: Proposal, found: Evidence) -> None:
        for image in found.images:
            if image.name in self.images and image.tag[:2].isdigit():
                proposal.questions.append(
                    f"{image.where} runs PostgreSQL {image.tag}; tests run the one that is installed with the extra "
                    "postgres, or that REALSERVICES_POSTGRES names (docs/postgres.md)"
                )
        for_migrator = proposal.migrated == KIND.name
        for name, variable in found.variables.items():
            if variable.is_read and name not in proposal.env and _is_url(name, variable.value):
                migrator = f'; for the migrator, `{name} = "$(url psycopg)"` in migrate_env' if for_migrator else ""
                proposal.questions.append(
                    f'{variable.where} reads {name}: `{name} = "$(url db)"` in the table env, or with a driver such as '
                    f'"$(url db psycopg)", runs it on PostgreSQL{migrator} (docs/environment_variables.md)'
                )
        if found.sql and found.sql.others:
            proposal.questions.append(
                f"SQL is in {', '.join(found.sql.others)}, too: take what makes the tests' schema"
            )
        proposal.questions += sql_questions(found)
        if (wanted := _fetched(found)) and not found.has_bazel:
            name, where = wanted
            proposal.questions.append(
                f"{where} wants {name}, which the PostgreSQL of the extra postgres has after `python -m realservices "
                "fetch`, once on each machine (docs/postgres.md)"
            )


def _add_layout(proposal: Proposal, found: Evidence, files: SqlFiles) -> None:
    layout, objection = proposed_layout(found, files)
    if objection:
        proposal.questions.append(f"how {files.patterns[-1]} is to be applied: {objection}")
    if layout:
        proposal.services[KIND.name].append(f'layout = "{layout}"')


def _fetched(found: Evidence) -> tuple[str, str] | None:
    """Return an extension that a migration wants and `fetch` brings, and the migration."""
    paths = found.sql.paths if found.sql else []
    if found.migrator and found.migrator.versions:
        paths = sorted((found.root / found.migrator.versions).glob("*.py"))
    for path in paths:
        with contextlib.suppress(OSError):
            if match := _FETCHED.search(path.read_text(encoding="utf-8", errors="replace")):
                return match[0], str(path.relative_to(found.root))
    return None


def _is_url(name: str, default: str) -> bool:
    """Return whether a variable that code reads is the URL of a database."""
    is_named = re.fullmatch(rf"(?:\w+_)?(?:{HINTS.words})(?:_TEST)?_(?:URL|URI|DSN)(?:_\w+)?", name)
    schemes = ("sqlite",) if name in HINTS.given else ("", "sqlite")
    return bool(is_named) and not is_anothers(name) and default.partition(":")[0].partition("+")[0] in schemes


HINTS = _Postgres()
