"""The declaration that follows from what was found, as TOML, and what could not be told."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.cli.proposal.kind_hints import hinted_kinds, is_anothers, kind_hints
from realservices.cli.proposal.written_addresses import written_address
from realservices.kinds.registry import find

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.cli.proposal.project_evidence import Evidence, Variable

_CATALOGUE = {"nats": "NATS", "minio": "S3", "kafka": "Kafka's protocol", "localstack": "S3"}
# What a test may use in their place.
_REPLACED = {
    "testcontainers": "its containers", "pytest-postgresql": "its fixtures", "pytest-docker": "its containers",
    "fakeredis": "FakeRedis: isolated_redis", "pytest-redis": "its fixtures", "pytest-asyncpg": "its fixtures",
    "pytest-databases": "its fixtures", "pytest-docker-tools": "its containers",
}  # fmt: skip
_EXTRAS = {
    "psycopg": ("psycopg", "psycopg-binary"), "psycopg2": ("psycopg2", "psycopg2-binary"), "http": ("httpx",),
    "sqlalchemy": ("sqlalchemy", "sqlmodel"), "websocket": ("websockets",), "xdist": ("pytest-xdist",),
}  # fmt: skip
_JAVA = "jdbc:"
_FIELDS = {
    "host": r"HOST(?:NAME)?|SERVER|ADDR(?:ESS)?",
    "port": r"PORT",
    "user": r"USER(?:NAME)?",
    "password": r"PASS(?:WORD)?|PASSWD|PWD",
    "database": r"DB(?:NAME)?|DATABASE|NAME|DATABASE_NAME",
}


@dataclass(slots=True)
class Proposal:
    """What to declare.

    Attributes:
        reasons: By kind, what speaks for it.
        services: Lines of TOML by kind, without the table's head.
        further: Kind and lines by name, of services beside the first one of their kind.
        env: Variables of the project's own.
        questions: What could not be told, and what to do.
        extras: What pip has to install.
        migrated: The kind whose service's schema the project's program makes, if there is one.
    """

    reasons: dict[str, list[str]] = field(default_factory=dict)
    services: dict[str, list[str]] = field(default_factory=dict)
    further: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    migrated: str = ""

    def toml(self, prefix: str) -> str:
        """Return the declaration.

        Args:
            prefix: What its tables' names begin with: ``tool.realservices.`` in a pyproject.toml.
        """
        services = {kind_hints(kind).service: (kind, lines) for kind, lines in self.services.items()} | self.further
        blocks = [
            "\n".join([f"[{prefix}services.{name}]", f'kind = "{kind}"', *lines])
            for name, (kind, lines) in services.items()
        ]
        if self.env:
            lines = [f"{name} = {json.dumps(value)}" for name, value in self.env.items()]
            blocks.append("\n".join([f"[{prefix}env]", *lines]))
        return "\n\n".join(blocks) + "\n"


def propose(found: Evidence) -> Proposal:
    """Return what follows from the evidence."""
    proposal = Proposal(reasons={kind: list(_reasons(kind, found)) for kind in hinted_kinds()})
    proposal.services = {kind: [] for kind, reasons in proposal.reasons.items() if reasons}
    if found.migrator:
        places = {kind: place for kind in proposal.services if (place := kind_hints(kind).migrated)}
        proposal.migrated = min(places, key=places.__getitem__, default="")
    for kind in proposal.services:
        kind_hints(kind).add_schema(proposal, found)
    for name, variable in found.variables.items():
        if reference := _reference(name, variable, proposal.services, found):
            proposal.env[name] = reference
    for kind in proposal.services:
        kind_hints(kind).add_environment(proposal, found)
    proposal.extras = [
        *proposal.services,
        *(extra for extra, packages in _EXTRAS.items() if not found.dependencies.keys().isdisjoint(packages)),
    ]
    _ask(proposal, found)
    return proposal


def _reasons(kind: str, found: Evidence) -> Iterable[str]:
    hints = kind_hints(kind)
    for image in found.images:
        if image.name in hints.images:
            yield f"{image.where} ({image.name}{':' if image.tag else ''}{image.tag})"
    for package in hints.packages:
        if package in found.dependencies:
            yield f"{found.dependencies[package]} ({package})"
    for name, variable in found.variables.items():
        scheme, separator, _ = variable.value.partition("://")
        if separator and scheme.partition("+")[0] in hints.schemes:
            yield f"{variable.where} ({name})"
    yield from hints.reasons(found)


def _reference(name: str, variable: Variable, services: Iterable[str], found: Evidence) -> str:
    """Return what a variable should be, "" if that is nothing of ours."""
    scheme, separator, address = variable.value.partition("://")
    family, _, driver = scheme.partition("+")
    if family.startswith(_JAVA):
        family, driver = family.removeprefix(_JAVA), "jdbc"
    if is_anothers(name):
        return ""
    if separator and not address:
        # It is put before an address that the code has from elsewhere.
        return ""
    for kind in services:
        hints = kind_hints(kind)
        if separator and family in hints.schemes:
            return _url(hints.service, driver if driver in find(kind).url_forms else "")
        if name in hints.given and not variable.value:
            # Named, it is there before any module of the project's is imported.
            return _url(hints.service, hints.form_of(variable, found))
        for field_name, words in _FIELDS.items():
            if separator or field_name in hints.lacks:
                continue
            if re.fullmatch(rf"(?:\w+_)?(?:{hints.words})_{{0,2}}(?:{words})", name):
                return f"$({field_name} {hints.service})"
    return ""


def _url(service: str, form: str) -> str:
    return f"$(url {service}{f' {form}' if form else ''})"


def _ask(proposal: Proposal, found: Evidence) -> None:
    hinted = list(map(kind_hints, hinted_kinds()))
    known = {name for hints in hinted for name in hints.images}
    for image in found.images:
        if image.name in _CATALOGUE:
            proposal.questions.append(f"{image.where}: docs/catalog.md has {_CATALOGUE[image.name]}")
        elif image.name and image.name not in known and not image.is_built:
            proposal.questions.append(f"{image.where}: there is no kind of service for {image.name}")
        elif image.is_built and image.name not in known:
            proposal.questions.append(
                f"{image.where}: {image.service!r} is built here; where tests need it, declare it as kind = "
                '"executable" with its command (docs/pytest.md)'
            )
    for package, what in _REPLACED.items():
        if package in found.dependencies:
            file = found.dependencies[package]
            proposal.questions.append(f"{file}: {package} is there; our fixtures can replace {what}")
    for hints in hinted:
        hints.ask(proposal, found)
    for kind in proposal.services:
        hints = kind_hints(kind)
        address, where = written_address(found, hints.schemes)
        if address:
            named = f"read {hints.given[0]} there" if hints.given else "read it from the environment"
            proposal.questions.append(
                f"{where} has the address {address}: where tests connect to it, whatever the environment says, "
                f"{named}, or give the service that port for `exec --fixed-ports` (docs/command_line.md)"
            )
    proposal.questions += [
        f"{path} belongs to {folder}/, which has tests of its own: run init there, too"
        for folder, path in found.elsewhere.items()
    ]
    proposal.questions += [
        f"{file} has the values of .env replace those of the environment: tests would reach the servers that it names; "
        "leave override out there"
        for file in found.overriding
    ]
    proposal.questions += [f"not read: {each}" for each in dict.fromkeys(found.unread)]
