"""Which tables of a database a test has touched, and whether the database can be used again at all.

Most of it is in files. The server is asked for all of it only where those cannot be seen, or where it alone knows: of
mutations whether they are done, of dictionaries whether they were loaded, of other disks what lies on them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realservices.kinds.clickhouse.isolation.database_files import read_files
from realservices.kinds.clickhouse.isolation.state import WITHOUT_ROWS, read_state
from realservices.kinds.clickhouse.sql import unfiled_query

if TYPE_CHECKING:
    from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection
    from realservices.kinds.clickhouse.isolation.database_files import DatabaseFiles
    from realservices.kinds.clickhouse.isolation.state import DatabaseState, TableState

_MOMENT_S = 0.002
_LOOKS = 3
_DISK = ("", "default")
Rows = Sequence[Mapping[str, Any]]
"""What `unfiled_query` tells of one database."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a test has done to a database.

    Attributes:
        touched: Names of the tables whose rows may be other ones.
        by_files: Its files have told it, so that the numbers of parts need not be known.
        are_mutated: There are other mutations than before.
    """

    touched: Sequence[str]
    by_files: bool = False
    are_mutated: bool = False


def read_unfiled(connection: ClickHouseConnection, names: Sequence[str]) -> dict[str, Rows]:
    """Return what the server tells of databases, as far as it is not in their files, by name.

    For several it takes hardly longer than for one. Raises IsolationError where the server does not answer.
    """
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
    for row in json.loads(connection.run(unfiled_query(names)))["data"]:
        found[row["database"]].append(row)
    return dict(found)


def find_changes(
    connection: ClickHouseConnection, data: str, name: str, before: DatabaseState, unfiled: Rows | None = None
) -> Changes | None:
    """Return what a test has done to a database, or None: it is not to be used again.

    Args:
        connection: To the server.
        data: The server's data directory; "" where this process cannot see it.
        name: The database.
        before: Its state before the test.
        unfiled: What `read_unfiled` has told of it since the test.

    Raises:
        IsolationError: The server does not answer.
    """
    if before.files is None:
        return _changes_as_told(connection, name, before)
    rows = [] if "dictionary" in uses_of(before) else _settled(connection, name, unfiled)
    # After the look at what runs: what had ended by then is in the files.
    files = read_files(data, name, before.tables.values())
    if files is not None and files.definitions != before.files.definitions:
        return None
    if not rows or files is None or not files.is_quiet or any(row["storage_policy"] not in _DISK for row in rows):
        return _changes_as_told(connection, name, before)
    return _changes_by_files(rows, before, before.files, files)


def _settled(connection: ClickHouseConnection, name: str, rows: Rows | None) -> Rows:
    """Return what the server tells when no query runs any more, if that takes no longer than a moment."""
    for _ in range(_LOOKS):
        if rows is not None:
            if all(row["kind"] != "query" for row in rows):
                break
            time.sleep(_MOMENT_S)  # A query is in the list for a moment after its answer.
        rows = read_unfiled(connection, [name])[name]
    return rows or []


def uses_of(before: DatabaseState) -> list[str]:
    """Return what is to be looked for. What the test itself has made is another definition, whatever it is."""
    tables = before.tables.values()
    with_parts = ["mutation", "detached"] if any(table.has_parts for table in tables) else []
    return ["query", *with_parts, *(["dictionary"] if any(table.engine == "Dictionary" for table in tables) else [])]


def _changes_by_files(rows: Rows, before: DatabaseState, known: DatabaseFiles, files: DatabaseFiles) -> Changes | None:
    """Return what the answer to `unfiled_query` and the files tell."""
    tables = {row["name"]: row for row in rows if row["kind"] == "table"}
    # A table may be detached until the server starts again.
    if any(row["kind"] == "query" for row in rows) or tables.keys() != before.tables.keys():
        return None
    touched = [each.name for each in _with_rows(before) if not _is_same(each, tables, known, files)]
    return Changes(touched, by_files=True)


def _is_same(
    table: TableState, told: Mapping[str, Mapping[str, Any]], before: DatabaseFiles, now: DatabaseFiles
) -> bool:
    """Return whether a table has the same rows for certain, as `TableState.has_rows_of` does."""
    if not table.has_parts:
        return not table.rows and not told[table.name]["rows"]
    # A part that is no longer active may stay for as long as a query reads it.
    are_active = len(table.parts) == int(told[table.name]["active_parts"])
    return are_active and before.parts[table.name] == now.parts[table.name]


def _changes_as_told(connection: ClickHouseConnection, name: str, before: DatabaseState) -> Changes | None:
    now = read_state(connection, name, uses_of(before))
    if now.is_in_use or now.definitions != before.definitions:
        return None
    touched = [table.name for table in _with_rows(before) if not table.has_rows_of(now.tables[table.name])]
    if any(table not in touched for table, _ in now.mutations - before.mutations):
        return None  # It has been done just now, after the parts were looked at.
    return Changes(touched, are_mutated=now.mutations != before.mutations)


def _with_rows(state: DatabaseState) -> list[TableState]:
    return [table for table in state.tables.values() if table.engine not in WITHOUT_ROWS]
