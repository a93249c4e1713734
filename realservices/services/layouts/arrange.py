"""A service's files as psql is to run them: which, in which order, what of each, and in a transaction or not."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from realservices.contract.errors import TemplateError
from realservices.services.layouts.flyway import arrange_flyway
from realservices.services.layouts.marks import refuse_marks
from realservices.services.layouts.names import by_dependency, by_directory, by_version
from realservices.services.layouts.script import Script
from realservices.services.layouts.sections import SECTIONS, up_part
from realservices.services.layouts.sqitch import arrange_sqitch
from realservices.services.psql_scan import pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Named = Sequence[tuple[str, str]]

LAYOUTS = (
    "db-migrate", "dbmate", "diesel", "flyway", "golang-migrate", "goose", "node-pg-migrate", "numbered", "plain",
    "postgrator", "refinery", "sql-migrate", "sqitch", "sqlx", "tern", "yoyo",
)  # fmt: skip
"""``plain``: every file whole, in the order given, whatever it holds; ``numbered``: whole, by number."""
# They send each file as one query, in which several statements are one transaction.
_ONE_QUERY = {"db-migrate", "golang-migrate", "postgrator"}
_ALWAYS = {"refinery"}
_TRANSACTION_WORDS = {"BEGIN", "START", "COMMIT", "END", "ROLLBACK"}
_SQLX_ALONE = re.compile(rb"--\s*no-transaction")
_YOYO_DEPENDS = re.compile(rb"^--\s*depends:(.*)$", re.MULTILINE)
_YOYO_ALONE = re.compile(rb"^--\s*transactional:\s*false\s*$", re.MULTILINE | re.IGNORECASE)
_DIESEL_ALONE = re.compile(rb"^\s*run_in_transaction\s*=\s*false", re.MULTILINE)


def arrange(layout: str, migrations: Named, seeds: Named = ()) -> list[Script]:
    """Return what psql is to run, in order.

    Args:
        layout: Whose files the migrations are; empty: nobody's.
        migrations: What each file is called in messages, and its path.
        seeds: Likewise; they are applied afterwards, as they are.

    Raises:
        TemplateError: They are not what the layout says, or a tool's without one.
    """
    files = [Script("migration", shown, path) for shown, path in migrations]
    rest = [Script("seed", shown, path) for shown, path in seeds]
    if layout != "plain":
        refuse_marks(files, key="migrations", own=layout)
        refuse_marks(rest, key="seeds")
    return [*_migrations(layout, files), *rest]


def _migrations(layout: str, files: list[Script]) -> list[Script]:
    if layout in ("", "plain"):
        return files
    if layout == "sqitch":
        return arrange_sqitch(files)
    if layout == "flyway":
        return arrange_flyway(files)
    if layout == "diesel":
        return [replace(file, transaction=_diesel_transaction(file)) for file in by_directory(files)]
    if layout == "yoyo":
        ordered = by_dependency(files, _yoyo_needs)
        return [replace(file, transaction=not _YOYO_ALONE.search(_read(file))) for file in ordered]
    ordered = by_version(layout, files)
    if layout in SECTIONS:
        return [up_part(layout, file) for file in ordered]
    if layout == "sqlx":
        return [replace(file, transaction=not _SQLX_ALONE.match(_read(file))) for file in ordered]
    return [replace(file, transaction=layout in _ALWAYS or _is_one_query(layout, file)) for file in ordered]


def _is_one_query(layout: str, file: Script) -> bool:
    if layout not in _ONE_QUERY:
        return False
    statements = [piece for piece in pieces(_read(file)) if piece.words]
    return len(statements) > 1 and not any(_TRANSACTION_WORDS & {*piece.words[:1]} for piece in statements)


def _diesel_transaction(file: Script) -> bool:
    try:
        with open(os.path.join(os.path.dirname(file.path), "metadata.toml"), "rb") as content:
            return not _DIESEL_ALONE.search(content.read())
    except FileNotFoundError:
        return True


def _yoyo_needs(file: Script) -> list[str]:
    return [name for line in _YOYO_DEPENDS.findall(_read(file)) for name in line.decode("utf-8", "replace").split()]


def _read(file: Script) -> bytes:
    try:
        with open(file.path, "rb") as content:
            return content.read()
    except OSError as error:
        raise TemplateError(f"{file.shown} cannot be read: {error.strerror}") from None
