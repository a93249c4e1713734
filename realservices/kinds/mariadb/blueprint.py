"""What a database consists of, read from the server, as the statements that make another one like it.

The server's own texts (SHOW CREATE …) name no database where everything lies in one, but for sequences and functions,
whose database is taken out here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError
from realservices.kinds.mariadb.names import quote_name, quote_text
from realservices.kinds.mariadb.wire import MariaDBRefusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from realservices.kinds.mariadb.wire import Connection, Row

GRANT_TABLES = ("db", "tables_priv", "columns_priv", "procs_priv")
"""The tables of the database `mysql` with privileges on single databases, which the column Db names."""

_CHARSETS = (
    "SELECT default_character_set_name, default_collation_name, schema_comment FROM information_schema.schemata "
    "WHERE schema_name = {}"
)
_TABLES = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = {} ORDER BY table_name"
_COLUMNS = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = {} "
    "AND is_generated = 'NEVER' ORDER BY table_name, ordinal_position"
)
_ROUTINES = (
    "SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = {} "
    "ORDER BY routine_type = 'PACKAGE BODY', routine_type, routine_name"
)
_TRIGGERS = (
    "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = {} "
    "ORDER BY event_object_table, action_timing, event_manipulation, action_order"
)
_EVENTS = "SELECT event_name FROM information_schema.events WHERE event_schema = {} ORDER BY event_name"
_SEQUENCE = "SELECT next_not_cached_value, cycle_count FROM {}"
_GRANT_COLUMNS = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'mysql' "
    "AND table_name IN ('db', 'tables_priv', 'columns_priv', 'procs_priv') AND column_name <> 'Db'"
)
# ER_TABLEACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR.
_DENIED = (1142, 1044)
_LITERAL = r"'(?:[^'\\]|\\.)*'"
_NAME = r"`(?:[^`]|``)*`"


class UncopiableError(RealServicesError):
    """A database with something in it that cannot be copied."""


@dataclass(frozen=True, slots=True)
class Program:
    """A routine, trigger or event, with the settings of the session that has made it.

    Attributes:
        kind: As in SQL: ``PROCEDURE``, ``TRIGGER``, ….
        name: Its name.
        text: The statement.
        settings: The statement that sets up the session.
    """

    kind: str
    name: str
    text: str
    settings: str


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What makes databases like one.

    Attributes:
        source: The database, whose rows are copied. Nothing may write to it.
        options: What follows the name in CREATE DATABASE.
        tables: Statements for sequences and tables by name, to be run in the new database in this order.
        rows: Names of the tables that have rows, and their columns.
        sequences: Names of sequences, their next value and how often they began anew.
        views: Statements by name.
        programs, triggers: What comes after the rows, too.
        grants: Tables of privileges that name the source, and their other columns.
    """

    source: str
    options: str
    tables: Mapping[str, str]
    rows: Sequence[tuple[str, Sequence[str]]]
    sequences: Sequence[tuple[str, str, str]]
    views: Mapping[str, str]
    programs: Sequence[Program]
    triggers: Sequence[Program]
    grants: Sequence[tuple[str, Sequence[str]]]


def read_blueprint(connection: Connection, source: str) -> Blueprint:
    """Read a database.

    Args:
        connection: Its default database is changed.
        source: The database's name.

    Raises:
        UncopiableError: Something in it cannot be copied.
        MariaDBRefusal: The server refuses.
    """
    connection.run(f"USE {quote_name(source)}")
    named = quote_text(source)
    kinds = _pairs(connection.run(_TABLES.format(named)))
    _refuse(source, kinds)
    names = {kind: [name for name, its in kinds if its == kind] for kind in {its for _, its in kinds}}
    tables, sequences = names.get("BASE TABLE", []), names.get("SEQUENCE", [])
    made = {name: _created(connection, "TABLE", name, source) for name in (*sequences, *tables)}
    return Blueprint(
        source=source,
        options=_options(connection.run(_CHARSETS.format(named))[0]),
        tables=made,
        rows=_filled(connection, tables, _pairs(connection.run(_COLUMNS.format(named)))),
        sequences=[_state(connection, name) for name in sequences],
        views={name: _view(connection, name, source) for name in names.get("VIEW", [])},
        programs=[*_routines(connection, source), *_events(connection, source)],
        triggers=[
            _program("TRIGGER", connection.run(f"SHOW CREATE TRIGGER {quote_name(name)}")[0])
            for (name,) in _texts(connection.run(_TRIGGERS.format(named)))
        ],
        grants=_grants(connection, source),
    )


def patterns(database: str) -> str:
    """Return how tables of privileges write a database: as it is, or with its wildcards escaped; for an IN."""
    escaped = database.replace("_", r"\_").replace("%", r"\%")
    return f"({quote_text(database)}, {quote_text(escaped)})"


def _refuse(source: str, kinds: Sequence[tuple[str, str]]) -> None:
    versioned = [name for name, kind in kinds if kind == "SYSTEM VERSIONED"]
    if versioned:
        raise UncopiableError(
            f"table {', '.join(versioned)} of database {source!r} is system-versioned, and its history cannot be "
            "copied: make it without SYSTEM VERSIONING for tests"
        )


def _options(row: Row) -> str:
    charset, collation, comment = (value or "" for value in row)
    return f"CHARACTER SET {charset} COLLATE {collation} COMMENT {quote_text(comment)}"


def _created(connection: Connection, kind: str, name: str, source: str) -> str:
    text = connection.run(f"SHOW CREATE {kind} {quote_name(name)}")[0][1] or ""
    return _without_database(text, source)


def _view(connection: Connection, name: str, source: str) -> str:
    text = _created(connection, "VIEW", name, source)
    if re.search(rf"\b(from|join)\s+\(*{re.escape(quote_name(source))}\.", re.sub(_LITERAL, "''", text)):
        raise UncopiableError(
            f"view {name} of database {source!r} reads tables of several databases, so that a copy of it would read "
            "the original's rows: let it read those of its own database only"
        )
    return text


def _without_database(text: str, source: str) -> str:
    """Take the database out of the names of functions and sequences, and leave literals as they are."""
    database = re.escape(quote_name(source))
    of_function = rf"{database}\.(?={_NAME}\()"
    of_sequence = rf"(?<=val\(){database}\."
    return re.sub(
        rf"{_LITERAL}|{of_function}|{of_sequence}", lambda found: found[0] if found[0][0] == "'" else "", text
    )


def _filled(
    connection: Connection, tables: Sequence[str], columns: Sequence[tuple[str, str]]
) -> list[tuple[str, list[str]]]:
    if not tables:
        return []
    asked = " UNION ALL ".join(
        f"SELECT {quote_text(name)} FROM DUAL WHERE EXISTS (SELECT 1 FROM {quote_name(name)})" for name in tables
    )
    filled = [name for (name,) in _texts(connection.run(asked))]
    return [(name, [column for table, column in columns if table == name]) for name in filled]


def _state(connection: Connection, sequence: str) -> tuple[str, str, str]:
    following, rounds = _texts(connection.run(_SEQUENCE.format(quote_name(sequence))))[0]
    return sequence, following, rounds


def _routines(connection: Connection, source: str) -> Iterator[Program]:
    for kind, name in _pairs(connection.run(_ROUTINES.format(quote_text(source)))):
        yield _program(kind, connection.run(f"SHOW CREATE {kind} {quote_name(name)}")[0])


def _program(kind: str, row: Row) -> Program:
    """Read a routine or a trigger: name, sql_mode, text, character set, collation, …."""
    name, mode, text, charset, collation, *_ = _texts([row])[0]
    return Program(kind, name, text, _session(mode, charset, collation))


def _events(connection: Connection, source: str) -> Iterator[Program]:
    for (name,) in _texts(connection.run(_EVENTS.format(quote_text(source)))):
        row = connection.run(f"SHOW CREATE EVENT {quote_name(name)}")[0]
        _, mode, zone, text, charset, collation, *_ = _texts([row])[0]
        yield Program("EVENT", name, text, f"{_session(mode, charset, collation)}, time_zone = {quote_text(zone)}")


def _session(mode: str, charset: str, collation: str) -> str:
    return (
        f"SET sql_mode = {quote_text(mode)}, character_set_client = {charset}, character_set_connection = {charset}, "
        f"collation_connection = {collation}"
    )


def _grants(connection: Connection, source: str) -> list[tuple[str, list[str]]]:
    columns = _pairs(connection.run(_GRANT_COLUMNS))
    found = []
    for table in GRANT_TABLES:
        if _names(connection, table, source):
            found.append((table, [column for its, column in columns if its == table]))
    return found


def _names(connection: Connection, table: str, source: str) -> bool:
    """Return whether a table of privileges names a database; an account that may not read it cannot copy it either."""
    try:
        return bool(connection.run(f"SELECT 1 FROM mysql.{table} WHERE Db IN {patterns(source)} LIMIT 1"))
    except MariaDBRefusal as error:
        if error.code not in _DENIED:
            raise
        return False


def _texts(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [tuple(value or "" for value in row) for row in rows]


def _pairs(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return [(first or "", second or "") for first, second in rows]
