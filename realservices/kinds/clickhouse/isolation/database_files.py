"""What the files of a ClickHouse database tell: whether its tables are defined as they were, and which have new parts.

Listing them takes 0.1 ms; asking the server for tables, parts and mutations takes 6 ms of its time. Where they lie:
https://github.com/ClickHouse/ClickHouse, DatabaseOnDisk (``metadata``, a file for each table, which is replaced with
each change) and MergeTreeData (``store``, a directory for each part, which never changes its name while it is active).
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection
    from realservices.kinds.clickhouse.isolation.state import DatabaseState, TableState

_File = tuple[str, int, int]
_DETACHED = "detached"
_MUTATION = "mutation_"


@dataclass(frozen=True, slots=True)
class DatabaseFiles:
    """The files of a database.

    Attributes:
        definitions: Of the database itself and of its tables; another inode or time is another definition.
        parts: By table, of those that have parts: these, and whatever else lies in the table's directory.
        is_quiet: There are no mutations, done or not, and no detached parts, which can be attached.
    """

    definitions: frozenset[_File]
    parts: Mapping[str, frozenset[_File]]
    is_quiet: bool


def data_directory(connection: ClickHouseConnection) -> str:
    """Return the server's data directory; "" where this process cannot see it. Raises what a query raises."""
    data = connection.run("SELECT path FROM system.disks WHERE name = 'default'").strip()
    return data if os.access(f"{data}/metadata", os.R_OK | os.X_OK) else ""


def read_files(data: str, database: str, tables: Iterable[TableState]) -> DatabaseFiles | None:
    """Return the files of a database; None where they cannot be seen: then the server has to be asked.

    Args:
        data: The server's data directory, or "".
        database: The database, whose name is its files' name.
        tables: Its tables.
    """
    try:
        metadata = f"{data}/metadata/{database}"
        own = os.stat(f"{metadata}.sql")
        definitions = frozenset({*_listed(metadata), ("", own.st_ino, own.st_mtime_ns)})
        directories = {each.name: f"{data}/store/{each.uuid[:3]}/{each.uuid}" for each in tables if each.has_parts}
        parts = {name: frozenset(_listed(directory)) for name, directory in directories.items()}
        mutations = any(name.startswith(_MUTATION) for files in parts.values() for name, _, _ in files)
        detached = any(os.listdir(f"{directory}/{_DETACHED}") for directory in directories.values())
        return DatabaseFiles(definitions, parts, is_quiet=not mutations and not detached)
    except OSError:
        return None


def with_files(state: DatabaseState, data: str, database: str) -> DatabaseState:
    """Return a database's state with the files that it has now."""
    return dataclasses.replace(state, files=read_files(data, database, state.tables.values()))


def _listed(directory: str) -> list[_File]:
    with os.scandir(directory) as entries:
        return [(entry.name, (status := entry.stat()).st_ino, status.st_mtime_ns) for entry in entries]
