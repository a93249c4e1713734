"""A service's files as psql is to run them: which, in which order, what of each, and in a transaction or not."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from realservices.contract.errors import TemplateError
from realservices.schema.flyway import arrange_flyway
from realservices.schema.layout_marks import refuse_marks
from realservices.schema.layout_names import by_dependency, by_directory, by_version
from realservices.schema.needs_transaction import needs_transaction
from realservices.schema.not_sql import refuse_no_sql
from realservices.schema.one_session import in_one_session
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
# Each file finds a session as a new one: psql's, Flyway's and tern's.
_OWN_SESSIONS = {"", "flyway", "numbered", "plain", "sqitch", "tern"}
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
    _refuse_both(migrations, seeds)
    refuse_no_sql([file for file in (*files, *rest) if file.kind != APPLIED])
    if layout != "plain":
        refuse_marks(files, key="migrations", own=layout)
        refuse_marks(rest, key="seeds")
    scripts = _migrations(layout, files)
    if layout not in _OWN_SESSIONS:
        scripts = in_one_session(scripts)
    left = [script for script in scripts if script.kind != APPLIED]
    late = next((script for script in scripts[len(scripts) - len(left) :] if script.kind == APPLIED), None)
    if late:
        raise TemplateError(f"{late.shown} is in the base already, and {left[0].shown} comes before it")
    return [*left, *map(_as_written, rest)]


def _refuse_both(migrations: Named, seeds: Named) -> None:
    """Refuse a file that would be run twice."""
    paths = {path for _, path in migrations}
    both = next((shown for shown, path in seeds if path in paths), None)
    if both:
        raise TemplateError(
            f"{both} is named by migrations and by seeds, and would be run twice: have only one of them name it"
        )


def _migrations(layout: str, files: list[Script]) -> list[Script]:
    if not layout:
        return [file if file.kind == APPLIED else _as_written(file) for file in files]
    if layout == "plain":
        return files
    if layout == "sqitch":
        return arrange_sqitch(files)
    if layout == "flyway":
        return arrange_flyway(files)
    if layout == "diesel":
        return [replace(file, transaction=_diesel_transaction(file)) for file in by_directory(files)]
    if layout == "yoyo":
        ordered = by_dependency(files, needs)
        return [replace(file, transaction=not _YOYO_ALONE.search(file.content())) for file in ordered]
    return [
        _as_applied(layout, file) if file.kind == APPLIED else _as_run(layout, file)
        for file in by_version(layout, files)
    ]


def _as_written(file: Script) -> Script:
    return replace(file, transaction=needs_transaction(file))


def _as_applied(layout: str, file: Script) -> Script:
    """Return what of a file was run, where the file is there: what it has set holds for later ones."""
    return up_part(layout, file) if layout in SECTIONS and os.path.exists(file.path) else file


def _as_run(layout: str, file: Script) -> Script:
    if layout in SECTIONS:
        return up_part(layout, file)
    if layout == "sqlx":
        return replace(file, transaction=not _SQLX_ALONE.match(file.content()))
    return replace(file, transaction=layout in _ALWAYS or _is_one_query(layout, file))


def _is_one_query(layout: str, file: Script) -> bool:
    if layout not in _ONE_QUERY:
        return False
    statements = [piece for piece in pieces(file.content()) if piece.words]
    return len(statements) > 1 and not any(_TRANSACTION_WORDS & {*piece.words[:1]} for piece in statements)


def _diesel_transaction(file: Script) -> bool:
    try:
        with open(os.path.join(os.path.dirname(file.path), "metadata.toml"), "rb") as content:
            return not _DIESEL_ALONE.search(content.read())
    except FileNotFoundError:
        return True
