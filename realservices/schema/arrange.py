"""A service's files as psql is to run them: which, in which order, what of each, and in a transaction or not."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from realservices.contract.errors import TemplateError
from realservices.schema.flyway import arrange_flyway
from realservices.schema.layout_marks import refuse_marks
from realservices.schema.layout_names import by_dependency, by_directory, by_version
from realservices.schema.not_sql import refuse_no_sql
from realservices.schema.psql_scan import pieces
from realservices.schema.script import APPLIED, Script
from realservices.schema.sections import SECTIONS, up_part
from realservices.schema.sqitch import arrange_sqitch
from realservices.schema.yoyo import needs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Named = Sequence[tuple[str, str]]

# They send each file as one query, in which several statements are one transaction.
_ONE_QUERY = {"db-migrate", "golang-migrate", "postgrator"}
_ALWAYS = {"refinery"}
_TRANSACTION_WORDS = {"BEGIN", "START", "COMMIT", "END", "ROLLBACK"}
_SQLX_ALONE = re.compile(rb"--\s*no-transaction")
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
    return arrange_after(layout, (), migrations, seeds)


def arrange_after(layout: str, applied: Named, migrations: Named, seeds: Named) -> list[Script]:
    """Return what is left to be run where some of the migrations have been.

    Args:
        layout: As for `arrange`.
        applied: Migrations that are in the database already. Where names give the order, the files need not be there.
        migrations: Those that come after them.
        seeds: As for `arrange`.

    Raises:
        TemplateError: As `arrange`; or a file that was applied comes after one that was not.
    """
    named = ((APPLIED, applied), ("migration", migrations))
    files = [Script(kind, shown, path) for kind, group in named for shown, path in group]
    rest = [Script("seed", shown, path) for shown, path in seeds]
    refuse_no_sql([file for file in (*files, *rest) if file.kind != APPLIED])
    if layout != "plain":
        refuse_marks(files, key="migrations", own=layout)
        refuse_marks(rest, key="seeds")
    scripts = _migrations(layout, files)
    left = [script for script in scripts if script.kind != APPLIED]
    late = next((script for script in scripts[len(scripts) - len(left) :] if script.kind == APPLIED), None)
    if late:
        raise TemplateError(f"{late.shown} is in the base already, and {left[0].shown} comes before it")
    return [*left, *rest]


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
        ordered = by_dependency(files, needs)
        return [replace(file, transaction=not _YOYO_ALONE.search(_read(file))) for file in ordered]
    return [file if file.kind == APPLIED else _as_run(layout, file) for file in by_version(layout, files)]


def _as_run(layout: str, file: Script) -> Script:
    if layout in SECTIONS:
        return up_part(layout, file)
    if layout == "sqlx":
        return replace(file, transaction=not _SQLX_ALONE.match(_read(file)))
    return replace(file, transaction=layout in _ALWAYS or _is_one_query(layout, file))


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


def _read(file: Script) -> bytes:
    try:
        with open(file.path, "rb") as content:
            return content.read()
    except OSError as error:
        raise TemplateError(f"{file.shown} cannot be read: {error.strerror}") from None
