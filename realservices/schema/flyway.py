"""Flyway's files: versions in the order of their numbers, then the repeatable ones in the order of their names.

Source: "Migrations" in Flyway's documentation (naming, baseline migrations, transactions).
"""

from __future__ import annotations

import re
from dataclasses import replace

from realservices.contract.errors import TemplateError
from realservices.schema.layout_names import same_version, unknown_name
from realservices.schema.psql_scan import pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.schema.script import Script

_NAME = re.compile(r"(?:([VBU])(\d+(?:[._]\d+)*)|(R))__(.*)\.sql")
_LIKE = re.compile(r"(?:[VBU]\d[\d._]*|R)__.*\.sql")
CALLBACK = re.compile(r"((before|after)[A-Z][A-Za-z]*|createSchema)(__.*)?\.sql")
_PLACEHOLDER = re.compile(rb"\$\{[^}\n]+\}")
ALONE = re.compile(
    r"(CREATE|DROP) (DATABASE|TABLESPACE|SUBSCRIPTION)|ALTER SYSTEM|VACUUM|DISCARD ALL|ALTER TYPE .*ADD VALUE"
    r"|(CREATE|DROP)( UNIQUE)? INDEX CONCURRENTLY|REINDEX .*(SCHEMA|DATABASE|SYSTEM|CONCURRENTLY)"
    r"|ALTER TABLE .*DETACH PARTITION .*CONCURRENTLY"
)
"""What begins a statement that PostgreSQL refuses within a transaction."""


def letter_of(name: str) -> str:
    """Return V, B, U or R of a file that has a name like Flyway's, "" of others."""
    return name[0] if _LIKE.fullmatch(name) else ""


def arrange_flyway(files: list[Script]) -> list[Script]:
    """Return the files that ``flyway migrate`` applies to an empty database, in its order.

    Raises:
        TemplateError: A name is none of Flyway's, two files have one version, or a file has placeholders.
    """
    ordered = order_flyway(files)
    return [replace(file, transaction=_in_transaction(file)) for file in ordered]


def order_flyway(files: list[Script]) -> list[Script]:
    """Do the same without a look into the files."""
    versions: dict[tuple[str, tuple[int, ...]], Script] = {}
    repeatable: dict[str, Script] = {}
    for file in files:
        match = _NAME.fullmatch(file.name)
        if not match:
            raise _unknown(file)
        letter, number, _, description = match.groups()
        if not letter:
            other = repeatable.setdefault(description, file)
            if other is not file:
                raise same_version("flyway", other, file, description)
            continue
        version = tuple(map(int, re.split("[._]", number)))
        while len(version) > 1 and not version[-1]:
            version = version[:-1]
        if (letter, version) in versions:
            other = versions[letter, version]
            raise same_version("flyway", other, file, number)
        versions[letter, version] = file
    # An empty database begins with the newest baseline.
    baseline = max((version for letter, version in versions if letter == "B"), default=())
    applied = sorted(version for letter, version in versions if letter == "V" and version > baseline)
    return [
        *([versions["B", baseline]] if baseline else []),
        *(versions["V", version] for version in applied),
        *(repeatable[name] for name in sorted(repeatable, key=lambda name: name.replace("_", " "))),
    ]


def _unknown(file: Script) -> TemplateError:
    remedy = "run Flyway itself (attribute and key migrate), or"
    if CALLBACK.fullmatch(file.name):
        return TemplateError(
            f"{file.shown} is a callback, which Flyway runs before or after others: {remedy} write what it does into a "
            "migration or into seeds, and take it out of migrations"
        )
    if file.name.endswith(".sql.conf"):
        return TemplateError(
            f"{file.shown} configures one migration of Flyway's, and is not read: {remedy} take it out of migrations, "
            "if it says only executeInTransaction"
        )
    return unknown_name("flyway", file, "names are V1__name.sql, R__name.sql, B1__name.sql or U1__name.sql")


def first_placeholder(file: Script) -> tuple[int, str] | None:
    """Return the line and the text of what Flyway would replace by a value; None: there is nothing."""
    return _placeholder_in(file.content())


def _placeholder_in(text: bytes) -> tuple[int, str] | None:
    found = _PLACEHOLDER.search(text)
    return (text.count(b"\n", 0, found.start()) + 1, found.group().decode("utf-8", "replace")) if found else None


def _in_transaction(file: Script) -> bool:
    text = file.content()
    if found := _placeholder_in(text):
        line, shown = found
        raise TemplateError(
            f"{file.shown}, line {line}: Flyway would put a value of its configuration in place of {shown}: run "
            "Flyway itself (attribute and key migrate), or write the value"
        )
    return not any(ALONE.match(" ".join(piece.words)) for piece in pieces(text))
