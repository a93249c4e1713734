"""By what `init` finds out that a project uses PostgreSQL, and how its schema is made."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING

from realservices.cli.proposal.kind_hints import KindHints
from realservices.contract.errors import TemplateError
from realservices.kinds.postgres.kind import KIND
from realservices.schema.arrange import arrange

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.cli.proposal.project_evidence import Evidence, SqlFiles
    from realservices.cli.proposal.proposed_toml import Proposal

_LAYOUT = re.compile(r'layout = "([\w-]+)"')
# As sources/completed.py brings them.
_FETCHED = re.compile(r"\b(?:pgcrypto|uuid-ossp)\b")


class _Postgres(KindHints):
    images = ("postgres", "postgis", "pgvector", "timescaledb", "postgresql")
    packages = ("asyncpg", "psycopg", "psycopg-binary", "psycopg2", "psycopg2-binary", "pg8000", "tortoise-orm")
    service = "db"
    words = r"POSTGRES(?:QL)?|PG|DB|DATABASE|SQL(?:ALCHEMY)?"
    schemes = ("postgres", "postgresql")
    given = ("DATABASE_URL",)

    def reasons(self, found: Evidence) -> Iterable[str]:
        return (files.pattern for files in found.sql)

    def add_schema(self, proposal: Proposal, found: Evidence) -> None:
        lines = proposal.services[KIND.name]
        if found.has_django:
            lines += [
                'migrate = [["{python}", "manage.py", "migrate", "--noinput"]]',
                'inputs = ["manage.py", "**/settings*.py", "**/models.py", "**/migrations/*.py"]',
            ]
        elif found.alembic:
            lines += [
                'migrate = [["{python}", "-m", "alembic", "upgrade", "head"]]',
                f'inputs = ["alembic.ini", "{found.alembic}/**/*.py"]',
            ]
            if not found.alembic_reads_environment:
                proposal.questions.append(
                    f"{found.alembic}/env.py takes its URL from alembic.ini: have it read os.environ['DATABASE_URL']"
                )
        for files in found.sql:
            lines.append(f"migrations = [{json.dumps(files.pattern)}]")
            _add_layout(proposal, found, files)

    def add_environment(self, proposal: Proposal) -> None:
        if not _is_migrated(proposal):
            return
        lines = proposal.services[KIND.name]
        # A migrator has one database, which needs no name.
        named = f" {self.service}"
        own = [
            f"{name} = {json.dumps(value.replace(named, '', 1))}"
            for name, value in proposal.env.items()
            if named in value
        ]
        if own:
            lines.insert(1, f"migrate_env = {{ {', '.join(own)} }}")
        else:
            proposal.questions.append(
                "the migrator gets DATABASE_URL and PG*; where it reads other names, add migrate_env "
                "(docs/migrators.md)"
            )

    def ask(self, proposal: Proposal, found: Evidence) -> None:
        for image in found.images:
            if image.name in self.images and image.tag[:2].isdigit():
                proposal.questions.append(
                    f"{image.where} runs PostgreSQL {image.tag}; tests run the one that is installed with the extra "
                    "postgres, or that REALSERVICES_POSTGRES names (docs/postgres.md)"
                )
        for_migrator = _is_migrated(proposal)
        for name, variable in found.variables.items():
            if variable.is_read and name not in proposal.env and _is_url(name, variable.value):
                migrator = f'; for the migrator, `{name} = "$(url psycopg)"` in migrate_env' if for_migrator else ""
                proposal.questions.append(
                    f'{variable.where} reads {name}: `{name} = "$(url db)"` in the table env, or with a driver such as '
                    f'"$(url db psycopg)", runs it on PostgreSQL{migrator} (docs/environment_variables.md)'
                )

        if (wanted := _fetched(found)) and not found.has_bazel:
            name, where = wanted
            proposal.questions.append(
                f"{where} wants {name}, which the PostgreSQL of the extra postgres has after `python -m realservices "
                "fetch`, once on each machine (docs/postgres.md)"
            )

    def target(self, proposal: Proposal, found: Evidence) -> str:
        lines = ["postgres_service(", f'    name = "{self.service}",']
        lines += [f'    migrations = glob(["{files.pattern}"]),' for files in found.sql]
        lines += [f"    {line}," for line in proposal.services[KIND.name] if line.startswith("layout")]
        if found.has_django or found.alembic:
            lines.append('    migrate = [":migrate"],  # a program that runs the migrations: docs/migrators.md')
        return "\n".join([*lines, ")"])


def _add_layout(proposal: Proposal, found: Evidence, files: SqlFiles) -> None:
    named = [(str(path.relative_to(found.root)), str(path)) for path in files.paths]
    try:
        arrange("", named)
    except TemplateError as error:
        layouts = {layout for layout in _LAYOUT.findall(str(error)) if layout != "plain"}
        if len(layouts) == 1:
            proposal.services[KIND.name].append(f'layout = "{layouts.pop()}"')
        else:
            proposal.questions.append(f"how {files.pattern} is to be applied: {error}")


def _fetched(found: Evidence) -> tuple[str, str] | None:
    """Return an extension that a migration wants and `fetch` brings, and the migration."""
    paths = [path for files in found.sql for path in files.paths]
    if found.alembic:
        paths += sorted((found.root / found.alembic / "versions").glob("*.py"))
    for path in paths:
        with contextlib.suppress(OSError):
            if match := _FETCHED.search(path.read_text(encoding="utf-8", errors="replace")):
                return match[0], str(path.relative_to(found.root))
    return None


def _is_migrated(proposal: Proposal) -> bool:
    """Return whether a migrator makes the schema."""
    return any(line.startswith("migrate = ") for line in proposal.services.get(KIND.name, []))


def _is_url(name: str, default: str) -> bool:
    """Return whether a variable that code reads is the URL of a database."""
    is_named = re.fullmatch(rf"(?:\w+_)?(?:{HINTS.words})_(?:URL|URI|DSN)(?:_\w+)?", name)
    return bool(is_named) and name not in HINTS.given and default.partition(":")[0].partition("+")[0] in ("", "sqlite")


HINTS = _Postgres()
