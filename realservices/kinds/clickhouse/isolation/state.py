"""The state of a ClickHouse database: what is compared to find out which tables somebody has touched.

A table's rows were touched if its parts are other ones; merges replace parts too, which costs a needless restoring and
nothing else. Views and dictionaries have no rows of their own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realservices.kinds.clickhouse.sql import state_query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection
    from realservices.kinds.clickhouse.isolation.database_files import DatabaseFiles

WITHOUT_ROWS = {"View", "MaterializedView", "Dictionary", "Null"}


@dataclass(frozen=True, slots=True)
class TableState:
    """A table as it was: ``sql`` shows whether it has changed, ``parts`` and ``rows`` whether its rows have."""

    name: str
    engine: str
    uuid: str
    sql: str
    parts: tuple[str, ...]
    rows: int

    @property
    def is_kept(self) -> bool:
        """Whether it had rows, which are kept."""
        return bool(self.parts or self.rows) and self.engine not in WITHOUT_ROWS

    @property
    def has_parts(self) -> bool:
        """Whether its parts can be shared with another table."""
        return self.engine.endswith("MergeTree")

    def has_rows_of(self, other: TableState) -> bool:
        """Return whether it has the same rows for certain: without parts as many rows may be other ones."""
        return self.parts == other.parts and (self.has_parts or self.rows == other.rows == 0)


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What is in a database.

    Attributes:
        tables: By name.
        is_in_use: A query or a mutation runs in it, a dictionary in it has read its source, or there are detached
            parts, which can be attached; as far as that was asked.
        mutations: Table and number of those that are done, as far as that was asked.
        files: Its files, where they can be seen.
    """

    tables: Mapping[str, TableState]
    is_in_use: bool
    mutations: frozenset[tuple[str, str]] = frozenset()
    files: DatabaseFiles | None = None

    @property
    def definitions(self) -> dict[str, str]:
        """How each table is defined."""
        return {name: table.sql for name, table in self.tables.items()}


def read_state(connection: ClickHouseConnection, database: str, uses: Sequence[str] = ()) -> DatabaseState:
    """Return the state of a database.

    Args:
        connection: To the server.
        database: The database.
        uses: What `state_query` is to look for, to tell whether it is in use.

    Raises:
        IsolationError: The server does not answer.
    """
    return state_of(json.loads(connection.run(state_query(database, uses)))["data"])


def state_of(rows: Sequence[Mapping[str, Any]]) -> DatabaseState:
    """Return the state that the rows of `state_query` tell."""
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "part":
            parts[row["name"]].append(row["sql"])
    tables = {
        row["name"]: TableState(
            row["name"], row["engine"], row["uuid"], row["sql"], tuple(sorted(parts[row["name"]])), row["rows"]
        )
        for row in rows
        if row["kind"] == "table"
    }
    done = frozenset((row["name"], row["sql"]) for row in rows if row["kind"] == "mutation" and row["rows"])
    running = [row for row in rows if row["kind"] not in ("table", "part") and (row["name"], row["sql"]) not in done]
    return DatabaseState(tables, bool(running), done)
