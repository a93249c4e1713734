"""Copies of a database, with all that is in it, and their end.

MariaDB has no templates of databases, as PostgreSQL has: a copy is made by the statements of its blueprint, without
checks of what was checked before. Triggers come last, or they would run for the rows that are copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.kinds.mariadb.blueprint import GRANT_TABLES, patterns
from realservices.kinds.mariadb.names import quote_name, quote_text
from realservices.kinds.mariadb.wire import MariaDBRefusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from realservices.kinds.mariadb.blueprint import Blueprint, Program
    from realservices.kinds.mariadb.wire import Connection

SESSION = (
    "SET NAMES utf8mb4, sql_mode = 'NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0, unique_checks = 0, "
    "check_constraint_checks = 0, time_zone = '+00:00'"
)
"""The statement by which a session takes whatever another database has had."""


def make_copy(connection: Connection, blueprint: Blueprint, name: str) -> None:
    """Make a database like another one.

    Args:
        connection: Its session's settings and its default database are changed.
        blueprint: The other one.
        name: Of the new one, which does not exist.

    Raises:
        MariaDBRefusal: The server refuses.
    """
    connection.run(";".join([SESSION, *_database(blueprint, name), *_all_rows(blueprint), *states(blueprint)]))
    make_programs(connection, blueprint.programs)
    connection.run(SESSION)
    make_views(connection, blueprint.views)
    make_programs(connection, blueprint.triggers)
    if blueprint.grants:
        copy_grants(connection, blueprint, name)


def copy_grants(connection: Connection, blueprint: Blueprint, name: str) -> None:
    """Give a database the privileges that name the original, and no others."""
    connection.run(";".join([*_revoked(name), *_grants(blueprint, name), "FLUSH PRIVILEGES"]))


def drop_copy(connection: Connection, blueprint: Blueprint, name: str) -> None:
    """Drop a copy, and the privileges on it, which would be those of a later database of that name.

    Raises:
        MariaDBRefusal: The server refuses.
    """
    connection.run(f"DROP DATABASE IF EXISTS {quote_name(name)}")
    if blueprint.grants:
        connection.run(";".join([*_revoked(name), "FLUSH PRIVILEGES"]))


def _revoked(name: str) -> list[str]:
    return [f"DELETE FROM mysql.{table} WHERE Db IN {patterns(name)}" for table in GRANT_TABLES]


def _database(blueprint: Blueprint, name: str) -> list[str]:
    quoted = quote_name(name)
    return [f"CREATE DATABASE {quoted} {blueprint.options}", f"USE {quoted}", *blueprint.tables.values()]


def _all_rows(blueprint: Blueprint) -> Iterator[str]:
    if blueprint.rows:
        yield "START TRANSACTION"
        yield from rows(blueprint, {table for table, _ in blueprint.rows})
        yield "COMMIT"


def rows(blueprint: Blueprint, tables: Collection[str]) -> Iterator[str]:
    """Yield the statements that fill some tables of the default database."""
    for table, columns in blueprint.rows:
        if table in tables:
            listed, original = ", ".join(map(quote_name, columns)), quote_name(blueprint.source)
            yield f"INSERT INTO {quote_name(table)} ({listed}) SELECT {listed} FROM {original}.{quote_name(table)}"


def states(blueprint: Blueprint) -> Iterator[str]:
    """Yield the statements that bring new sequences to where those of the original are."""
    for name, following, rounds in blueprint.sequences:
        yield f"DO SETVAL({quote_name(name)}, {following}, 0, {rounds})"


def make_programs(connection: Connection, programs: Sequence[Program]) -> None:
    """Make routines, triggers and events, each as the session did that has made the original."""
    for program in programs:
        connection.run(program.settings)
        connection.run(program.text)


def make_views(connection: Connection, views: Mapping[str, str]) -> None:
    """Make views; those that read others come after them."""
    waiting = list(views.values())
    while waiting:
        refused: list[str] = []
        for view in waiting:
            try:
                connection.run(view)
            except MariaDBRefusal:
                if view is waiting[-1] and len(refused) == len(waiting) - 1:
                    raise  # Not one of them could be made.
                refused.append(view)
        waiting = refused


def _grants(blueprint: Blueprint, name: str) -> Iterator[str]:
    escaped = quote_text(name.replace("_", r"\_"))
    for table, columns in blueprint.grants:
        listed = ", ".join(map(quote_name, columns))
        written = escaped if table == "db" else quote_text(name)
        yield (
            f"INSERT INTO mysql.{table} (Db, {listed}) SELECT DISTINCT {written}, {listed} FROM mysql.{table} "
            f"WHERE Db IN {patterns(blueprint.source)}"
        )
