"""The declaration that follows from what was found, as TOML, and what could not be told."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.contract.errors import TemplateError
from realservices.kinds.postgres.url_forms import SQLALCHEMY_DRIVERS
from realservices.schema.arrange import arrange

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.cli.proposal.evidence import Evidence, SqlFiles

_IMAGES = {
    "postgres": ("postgres", "postgis", "pgvector", "timescaledb", "postgresql"),
    "redis": ("redis", "valkey", "redis-stack", "redis-stack-server", "keydb"),
    "clickhouse": ("clickhouse-server", "clickhouse"),
}
_PACKAGES = {
    "postgres": (
        "asyncpg",
        "psycopg",
        "psycopg-binary",
        "psycopg2",
        "psycopg2-binary",
        "pg8000",
        "tortoise-orm",
    ),
    "redis": ("redis", "arq", "rq", "aioredis", "celery", "django-redis", "fakeredis"),
    "clickhouse": ("clickhouse-connect", "clickhouse-driver", "clickhouse-sqlalchemy"),
}
_NAMES = {"postgres": "db", "redis": "cache", "clickhouse": "analytics"}
_CATALOGUE = {"nats": "NATS", "minio": "S3", "kafka": "Kafka's protocol", "localstack": "S3"}
# What a test may use in their place.
_REPLACED = {
    "testcontainers": "its containers", "pytest-postgresql": "its fixtures", "pytest-docker": "its containers",
    "fakeredis": "FakeRedis: isolated_redis", "pytest-redis": "its fixtures", "pytest-asyncpg": "its fixtures",
}  # fmt: skip
_EXTRAS = {
    "psycopg": ("psycopg", "psycopg-binary"), "psycopg2": ("psycopg2", "psycopg2-binary"), "http": ("httpx",),
    "sqlalchemy": ("sqlalchemy", "sqlmodel"), "websocket": ("websockets",), "xdist": ("pytest-xdist",),
}  # fmt: skip
_FIELDS = {
    "host": r"HOST(?:NAME)?|SERVER|ADDR(?:ESS)?",
    "port": r"PORT",
    "user": r"USER(?:NAME)?",
    "password": r"PASS(?:WORD)?|PASSWD|PWD",
    "database": r"DB(?:NAME)?|DATABASE|NAME|DATABASE_NAME",
}
_KIND_WORDS = {
    "postgres": r"POSTGRES(?:QL)?|PG|DB|DATABASE|SQL(?:ALCHEMY)?",
    "redis": r"REDIS|CACHE|BROKER|CELERY",
    "clickhouse": r"CLICKHOUSE|CH",
}
_SCHEMES = {"postgres": ("postgres", "postgresql"), "redis": ("redis",), "clickhouse": ("clickhouse",)}
# What tests have anyway (docs/environment_variables.md).
_GIVEN = {"DATABASE_URL", "REDIS_URL", "CLICKHOUSE_URL"}
_LAYOUT = re.compile(r'layout = "([\w-]+)"')


@dataclass(slots=True)
class Proposal:
    """What to declare.

    Attributes:
        reasons: By kind, what speaks for it.
        services: Lines of TOML by kind, without the table's head.
        env: Variables of the project's own.
        questions: What could not be told, and what to do.
        extras: What pip has to install.
    """

    reasons: dict[str, list[str]] = field(default_factory=dict)
    services: dict[str, list[str]] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)

    def toml(self, prefix: str) -> str:
        """Return the declaration.

        Args:
            prefix: What its tables' names begin with: ``tool.realservices.`` in a pyproject.toml.
        """
        blocks = [
            "\n".join([f"[{prefix}services.{_NAMES[kind]}]", f'kind = "{kind}"', *lines])
            for kind, lines in self.services.items()
        ]
        if self.env:
            lines = [f"{name} = {json.dumps(value)}" for name, value in self.env.items()]
            blocks.append("\n".join([f"[{prefix}env]", *lines]))
        return "\n\n".join(blocks) + "\n"


def propose(found: Evidence) -> Proposal:
    """Return what follows from the evidence."""
    proposal = Proposal(reasons={kind: list(_reasons(kind, found)) for kind in _NAMES})
    proposal.services = {kind: [] for kind, reasons in proposal.reasons.items() if reasons}
    if "postgres" in proposal.services:
        _add_schema(proposal, found)
    for name, variable in found.variables.items():
        if reference := _reference(name, variable.value, proposal.services):
            proposal.env[name] = reference
    if "postgres" in proposal.services:
        _add_migrate_env(proposal)
    proposal.extras = [
        *proposal.services,
        *(extra for extra, packages in _EXTRAS.items() if not found.dependencies.keys().isdisjoint(packages)),
    ]
    _ask(proposal, found)
    return proposal


def _reasons(kind: str, found: Evidence) -> Iterable[str]:
    for image in found.images:
        if image.name in _IMAGES[kind]:
            yield f"{image.where} ({image.name}{':' if image.tag else ''}{image.tag})"
    for package in _PACKAGES[kind]:
        if package in found.dependencies:
            yield f"{found.dependencies[package]} ({package})"
    for name, variable in found.variables.items():
        scheme, separator, _ = variable.value.partition("://")
        if separator and scheme.partition("+")[0] in _SCHEMES[kind]:
            yield f"{variable.where} ({name})"
    if kind == "postgres":
        yield from (files.pattern for files in found.sql)


def _add_schema(proposal: Proposal, found: Evidence) -> None:
    lines = proposal.services["postgres"]
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


def _add_migrate_env(proposal: Proposal) -> None:
    """Give a migrator what the project's settings read, or ask for it."""
    if not _is_migrated(proposal):
        return
    lines = proposal.services["postgres"]
    # A migrator has one database, which needs no name.
    named = f" {_NAMES['postgres']}"
    own = [
        f"{name} = {json.dumps(value.replace(named, '', 1))}" for name, value in proposal.env.items() if named in value
    ]
    if own:
        lines.insert(1, f"migrate_env = {{ {', '.join(own)} }}")
    else:
        proposal.questions.append(
            "the migrator gets DATABASE_URL and PG*; where it reads other names, add migrate_env (docs/migrators.md)"
        )


def _add_layout(proposal: Proposal, found: Evidence, files: SqlFiles) -> None:
    named = [(str(path.relative_to(found.root)), str(path)) for path in files.paths]
    try:
        arrange("", named)
    except TemplateError as error:
        layouts = {layout for layout in _LAYOUT.findall(str(error)) if layout != "plain"}
        if len(layouts) == 1:
            proposal.services["postgres"].append(f'layout = "{layouts.pop()}"')
        else:
            proposal.questions.append(f"how {files.pattern} is to be applied: {error}")


def _reference(name: str, value: str, services: Iterable[str]) -> str:
    """Return what a variable should be, "" if that is nothing of ours."""
    scheme, separator, _ = value.partition("://")
    family, _, driver = scheme.partition("+")
    for kind in services:
        if separator and family in _SCHEMES[kind]:
            if name in _GIVEN and not driver:
                return ""
            return f"$(url {_NAMES[kind]}{f' {driver}' if driver in SQLALCHEMY_DRIVERS else ''})"
        for field_name, words in _FIELDS.items():
            has_field = kind != "redis" or field_name not in ("user", "database")
            if not separator and has_field and re.fullmatch(rf"(?:\w+_)?(?:{_KIND_WORDS[kind]})_?(?:{words})", name):
                return f"$({field_name} {_NAMES[kind]})"
    return ""


def _ask(proposal: Proposal, found: Evidence) -> None:
    known = {name for names in _IMAGES.values() for name in names}
    for image in found.images:
        if image.name in _IMAGES["postgres"] and image.tag[:2].isdigit():
            proposal.questions.append(
                f"{image.where} runs PostgreSQL {image.tag}; tests run the one that is installed with the extra "
                "postgres, or that REALSERVICES_POSTGRES names (docs/postgres.md)"
            )
        elif image.name in _CATALOGUE:
            proposal.questions.append(f"{image.where}: docs/catalog.md has {_CATALOGUE[image.name]}")
        elif image.name and image.name not in known:
            proposal.questions.append(f"{image.where}: there is no kind of service for {image.name}")
        elif not image.name:
            proposal.questions.append(
                f"{image.where}: {image.service!r} is built here; where tests need it, declare it as kind = "
                '"executable" with its command (docs/pytest.md)'
            )
    for package, what in _REPLACED.items():
        if package in found.dependencies:
            file = found.dependencies[package]
            proposal.questions.append(f"{file}: {package} is there; our fixtures can replace {what}")
    for_migrator = _is_migrated(proposal)
    for name, variable in found.variables.items():
        if variable.is_read and name not in proposal.env and _is_url(name, variable.value):
            migrator = f'; for the migrator, `{name} = "$(url psycopg)"` in migrate_env' if for_migrator else ""
            proposal.questions.append(
                f'{variable.where} reads {name}: `{name} = "$(url db)"` in the table env, or with a driver such as '
                f'"$(url db psycopg)", runs it on PostgreSQL{migrator} (docs/environment_variables.md)'
            )
    values = set(proposal.env.values())
    if "$(host cache)" in values and not values & {"$(password cache)", "$(url cache)"}:
        proposal.questions.append(
            "settings have a host for Redis and no password, and Redis asks for one: with `password = false` in its "
            "table it asks for none (docs/command_line.md)"
        )
    proposal.questions += [f"not read: {each}" for each in found.unread]


def _is_migrated(proposal: Proposal) -> bool:
    """Return whether a migrator makes the schema."""
    return any(line.startswith("migrate = ") for line in proposal.services.get("postgres", []))


def _is_url(name: str, default: str) -> bool:
    """Return whether a variable that code reads is the URL of a database."""
    is_named = re.fullmatch(rf"(?:\w+_)?(?:{_KIND_WORDS['postgres']})_(?:URL|URI|DSN)(?:_\w+)?", name)
    return bool(is_named) and name not in _GIVEN and default.partition(":")[0].partition("+")[0] in ("", "sqlite")
