"""A database that others have connections to, brought back to what another one is, in place.

Tables whose rows are as they were are not touched, and rows are replaced in a transaction: a program that reads
meanwhile sees the one state or the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.kinds.mariadb.blueprint import read_blueprint
from realservices.kinds.mariadb.copies import SESSION, copy_grants, make_programs, make_views, rows, states
from realservices.kinds.mariadb.names import quote_name, quote_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from realservices.kinds.mariadb.blueprint import Blueprint, Program
    from realservices.kinds.mariadb.wire import Connection

_NUMBERS = (
    "SELECT table_name, auto_increment FROM information_schema.tables "
    "WHERE table_schema = {} AND auto_increment IS NOT NULL"
)
# Of a table's options: where its next number is.
_NUMBER = re.compile(r" AUTO_INCREMENT=\d+(?=[^)]*$)")


def restore_database(connection: Connection, wanted: Blueprint, name: str) -> None:
    """Make a database like another one again.

    Args:
        connection: Its session's settings and its default database are changed.
        wanted: The other one.
        name: The database.

    Raises:
        MariaDBRefusal: The server refuses, or somebody's open transaction holds a lock.
        UncopiableError: There is something now that cannot be compared.
    """
    connection.run(SESSION)
    now = read_blueprint(connection, name)
    others = {table for table, text in wanted.tables.items() if _structure(now.tables.get(table)) != _structure(text)}
    stale = others | _changed_rows(connection, wanted, name, wanted.tables.keys() - others)
    moved = {sequence for sequence, *state in wanted.sequences if [sequence, *state] not in map(list, now.sequences)}
    has_other_triggers = bool(stale or moved or now.triggers != wanted.triggers)
    if has_other_triggers:
        _drop(connection, now.triggers)
    gone = (now.tables.keys() - wanted.tables.keys()) | others | moved
    _replace_tables(connection, wanted, now, gone)
    _fill(connection, wanted, stale - moved)
    _restore_numbers(connection, wanted, name)
    if now.views != wanted.views or others:
        connection.run(";".join(f"DROP VIEW {quote_name(view)}" for view in now.views) or "DO 0")
    _drop(connection, [program for program in now.programs if program not in wanted.programs])
    made = [program for program in wanted.programs if program not in now.programs]
    make_programs(connection, made)
    connection.run(SESSION)
    if (made or gone) and wanted.grants:  # They went with what was dropped.
        copy_grants(connection, wanted, name)
    if now.views != wanted.views or others:
        make_views(connection, wanted.views)
    if has_other_triggers:
        make_programs(connection, wanted.triggers)


def _structure(text: str | None) -> str | None:
    return text and _NUMBER.sub("", text)


def _changed_rows(connection: Connection, wanted: Blueprint, name: str, tables: Collection[str]) -> set[str]:
    """Return the tables whose rows are others now, by the server's checksums."""
    compared = sorted(set(tables) - {sequence for sequence, *_ in wanted.sequences})
    if not compared:
        return set()
    sums = [connection.run(_checksums(database, compared)) for database in (name, wanted.source)]
    return {table for table, now, then in zip(compared, *sums, strict=True) if now[1] != then[1]}


def _checksums(database: str, tables: Iterable[str]) -> str:
    return "CHECKSUM TABLE " + ", ".join(f"{quote_name(database)}.{quote_name(table)}" for table in tables)


def _drop(connection: Connection, programs: Iterable[Program]) -> None:
    for program in programs:
        connection.run(f"DROP {program.kind} IF EXISTS {quote_name(program.name)}")


def _replace_tables(connection: Connection, wanted: Blueprint, now: Blueprint, gone: Collection[str]) -> None:
    """Drop tables and sequences, and make those that are wanted."""
    sequences = {sequence for sequence, *_ in now.sequences}
    for table in gone & now.tables.keys():
        connection.run(f"DROP {'SEQUENCE' if table in sequences else 'TABLE'} {quote_name(table)}")
    made = [text for table, text in wanted.tables.items() if table in gone]
    moved = [text for text, (sequence, *_) in zip(states(wanted), wanted.sequences, strict=True) if sequence in gone]
    for text in (*made, *moved):
        connection.run(text)


def _fill(connection: Connection, wanted: Blueprint, tables: Collection[str]) -> None:
    if tables:
        deleted = [f"DELETE FROM {quote_name(table)}" for table in sorted(tables)]
        connection.run(";".join(["START TRANSACTION", *deleted, *rows(wanted, tables), "COMMIT"]))


def _restore_numbers(connection: Connection, wanted: Blueprint, name: str) -> None:
    now = connection.run(_NUMBERS.format(quote_text(name)))
    for table, number in connection.run(_NUMBERS.format(quote_text(wanted.source))):
        if (table, number) not in now:
            connection.run(f"ALTER TABLE {quote_name(str(table))} AUTO_INCREMENT = {number}")
