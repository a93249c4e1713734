"""A ClickHouse that servers of the project's own use: what its database held before the tests, and the way back to it.

Rows are kept in a database of our own, whose tables share the parts of the original's; so nothing is copied until the
original changes.

Before it looks, it has the server write what it was given by asynchronous inserts.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationBrokenError
from realservices.isolation.servers_store import ServersStore
from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection, flush_inserts
from realservices.kinds.clickhouse.isolation.state import WITHOUT_ROWS, TableState, read_state
from realservices.kinds.clickhouse.sql import quote_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from realservices.contract.runtime import Endpoint


class ClickHouseStore(ServersStore):
    """The service's database as it was when `take` was called; see `ServersStore`.

    Args:
        endpoint: The service.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._database = str(endpoint.database)
        self._connection = ClickHouseConnection(endpoint)
        self._kept = f"realservices_{os.getpid()}_{secrets.token_hex(4)}_kept"
        self._tables: Mapping[str, TableState] = {}

    def take(self) -> None:
        self._tables = read_state(self._connection, self._database).tables
        if any(table.is_kept for table in self._tables.values()):
            self._connection.run(f"CREATE DATABASE {quote_name(self._kept)}")
        for table in self._tables.values():
            if table.is_kept:
                source, target = self._in(self._database, table), self._in(self._kept, table)
                self._connection.run(f"CREATE TABLE {target} AS {source}")
                self._copy(table, source, target)

    def restore(self) -> None:
        flush_inserts(self._connection)
        found = read_state(self._connection, self._database).tables
        made = [name for name in found if name not in self._tables]
        lost = [name for name, table in self._tables.items() if name not in found or found[name].sql != table.sql]
        for name in [*reversed(made), *lost]:
            self._connection.run(f"DROP TABLE IF EXISTS {self._name(name)} SYNC")
        for name, table in self._tables.items():
            if name in lost:
                self._connection.run(table.sql, database=self._database)
        self._put_rows_back(found, set(lost))
        if made or lost:
            raise IsolationBrokenError(self._explain(made, lost, found))

    def close(self) -> None:
        if any(table.is_kept for table in self._tables.values()):
            self._connection.run(f"DROP DATABASE IF EXISTS {quote_name(self._kept)}")
        self._connection.close()

    def _put_rows_back(self, found: Mapping[str, TableState], lost: set[str]) -> None:
        # Rows that are inserted pass through materialized views, attached parts do not: what has parts comes last.
        inserted = [name for name in self._changed(found, lost) if not self._tables[name].has_parts]
        for name in inserted:
            self._restore_table(self._tables[name])
        attached = [
            name
            for name in self._changed(read_state(self._connection, self._database).tables if inserted else found, lost)
            if name not in inserted
        ]
        for name in attached:
            self._restore_table(self._tables[name])
        if inserted or attached:
            # Attached parts get numbers of their own.
            self._tables = {
                name: table
                for name, table in read_state(self._connection, self._database).tables.items()
                if name in self._tables
            }

    def _changed(self, found: Mapping[str, TableState], lost: set[str]) -> list[str]:
        """Return the tables whose rows are other ones than they were."""
        with_rows = [table for table in self._tables.values() if table.engine not in WITHOUT_ROWS]
        return [table.name for table in with_rows if table.name in lost or not table.has_rows_of(found[table.name])]

    def _restore_table(self, table: TableState) -> None:
        self._connection.run(f"TRUNCATE TABLE {self._name(table.name)} SYNC")
        if table.is_kept:
            self._copy(table, self._in(self._kept, table), self._in(self._database, table))

    def _copy(self, table: TableState, source: str, target: str) -> None:
        if table.has_parts:
            self._connection.run(f"ALTER TABLE {target} ATTACH PARTITION ALL FROM {source}")
        else:
            self._connection.run(f"INSERT INTO {target} SELECT * FROM {source}")

    def _name(self, name: str) -> str:
        return f"{quote_name(self._database)}.{quote_name(name)}"

    def _in(self, database: str, table: TableState) -> str:
        return f"{quote_name(database)}.{quote_name(table.name)}"

    def _explain(self, made: list[str], lost: list[str], found: Mapping[str, TableState]) -> str:
        changed = [name for name in lost if name in found]
        dropped = [name for name in lost if name not in found]
        differences = (("made", made), ("changed", changed), ("dropped", dropped))
        shown = ", ".join(f"{word} {', '.join(names)}" for word, names in differences if names)
        return (
            "a test, or a server on its behalf, has changed the schema of a ClickHouse database that servers use: "
            f"{shown}. It has been restored. Put the schema "
            "into the service's schema files, or change it in isolated_clickhouse"
        )
