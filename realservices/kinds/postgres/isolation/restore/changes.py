"""What was written to a database that servers use: by the write-ahead log, or by a look at every table.

The log is asked where it is there and reaches back. PostgreSQL before 16 cannot be asked, and a test that writes much
more than the server keeps takes it away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.kinds.postgres.isolation.restore.baseline import content, sequences_values
from realservices.kinds.postgres.isolation.restore.pristine import BY_OID, RELATION, Relation, relation_of
from realservices.kinds.postgres.isolation.restore.rows import conditions, newer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from realservices.kinds.postgres.isolation.restore.baseline import Baseline
    from realservices.kinds.postgres.isolation.restore.written import Position, Written

LARGE_OBJECTS = "pg_catalog.pg_largeobject"
LARGE_OBJECTS_NAMES = "pg_catalog.pg_largeobject_metadata"
"""Catalogs whose rows are restored as those of tables are: data, and which there are."""
_CLASSES = "pg_catalog.pg_class"
_BY_FILES = f"""{RELATION} c.oid IN (SELECT pg_filenode_relation(space, file)
    FROM unnest($1::oid[], $2::oid[]) AS f (space, file)) AND c.relkind IN ('r', 'm', 'S')"""
_RENEWED = f"{BY_OID} AND c.relkind IN ('r', 'm', 'S') AND c.relpersistence <> 't'"
_ALL = f"""{RELATION} c.relkind IN ('r', 'm', 'S') AND c.relpersistence <> 't'
    AND (n.nspname NOT IN ('pg_catalog', 'pg_toast') OR c.relname ~ '^pg_largeobject')"""
UNLOGGED = f"{RELATION} c.relkind IN ('r', 'S') AND c.relpersistence = 'u'"
"""Which relations the log says nothing of."""


@dataclass(slots=True)
class Changes:
    """What may have to be undone.

    Attributes:
        blocks: Tables, with the numbers of their blocks that were written.
        whole: Tables that got another file, or of which is not known where they were written.
        sequences: Those that may have another value.
        views: Materialized views that may hold something else.
        renewed: Relations that have a new row in pg_class, maybe because they got another file.
        are_catalogs: The schema may be another one.
    """

    blocks: dict[Relation, list[int]] = field(default_factory=dict)
    whole: list[Relation] = field(default_factory=list)
    sequences: list[Relation] = field(default_factory=list)
    views: list[Relation] = field(default_factory=list)
    renewed: list[Relation] = field(default_factory=list)
    are_catalogs: bool = False

    def add(self, relation: Relation, blocks: list[int]) -> None:
        """Note a relation, and where it was written."""
        if relation.kind == "S":
            self.sequences.append(relation)
        elif relation.kind == "m":
            self.views.append(relation)
        elif blocks:
            self.blocks[relation] = blocks

    def add_whole(self, relation: Relation) -> None:
        """Note a relation that is to be restored from the ground up."""
        if relation.kind == "r":
            self.blocks = {other: blocks for other, blocks in self.blocks.items() if other.oid != relation.oid}
            self.whole = [*(other for other in self.whole if other.oid != relation.oid), relation]
        else:
            known = {other.oid for other in (*self.sequences, *self.views)}
            self.add(relation, []) if relation.oid not in known else None

    @property
    def tables(self) -> list[Relation]:
        """All tables, in the order in which they are to be locked."""
        return sorted([*self.whole, *self.blocks], key=lambda table: table.name)


class LogReader:
    """Says what the log means, in the names of one database's relations."""

    def __init__(self) -> None:
        self._by_file: dict[tuple[int, int], Relation | None] = {}

    async def changes(self, connection: asyncpg.Connection, written: Written, since: Position) -> Changes:
        """Return what the log says was written since."""
        changes = Changes()
        await self._resolve(connection, [file for file in written.blocks if file not in self._by_file])
        for file, blocks in written.blocks.items():
            relation = self._by_file[file]
            if relation is None:
                continue
            if not relation.is_catalog or relation.name in (LARGE_OBJECTS, LARGE_OBJECTS_NAMES):
                changes.add(relation, blocks)
            else:
                changes.are_catalogs = True
                if relation.name == _CLASSES:
                    changes.renewed += await _renewed(connection, blocks, since)
        if changes.are_catalogs:
            self._by_file.clear()
        return changes

    async def _resolve(self, connection: asyncpg.Connection, files: list[tuple[int, int]]) -> None:
        if files:
            self._by_file |= dict.fromkeys(files)
            keys = {file: (space, file) for space, file in files}
            rows = await connection.fetch(_BY_FILES, [space for space, _ in files], [file for _, file in files])
            self._by_file |= {keys[row["file"]]: relation_of(row) for row in rows}


async def _renewed(connection: asyncpg.Connection, blocks: list[int], since: Position) -> list[Relation]:
    oids: list[int] = []
    for where in conditions(blocks):
        new = f"SELECT oid FROM pg_class WHERE {where} AND {newer(since.xid, since.own)}"
        oids += [row["oid"] for row in await connection.fetch(new)]
    return [relation_of(row) for row in await connection.fetch(_RENEWED, oids)]


async def changes_by_look(connection: asyncpg.Connection, baseline: Baseline, since: Position) -> Changes:
    """Return what is not as it was, from a look at all relations. Asks for what the schema is, too."""
    relations = [relation_of(row) for row in await connection.fetch(_ALL)]
    changes = Changes(are_catalogs=True, renewed=relations)
    changes.whole = await tables_by_look(connection, baseline, relations, since)
    changes.sequences = await sequences_by_look(connection, baseline, relations)
    views = [relation for relation in relations if relation.kind == "m"]
    changes.views = [view for view in views if await content(connection.fetch, view) != await baseline.content(view)]
    return changes


async def tables_by_look(
    connection: asyncpg.Connection, baseline: Baseline, relations: Sequence[Relation], since: Position
) -> list[Relation]:
    """Return the tables that have rows that are newer, or another number of rows than they had."""
    tables = [relation for relation in relations if relation.kind == "r"]
    if not tables:
        return []
    parts = (
        f"SELECT {number} AS number, count(*) AS rows, count(*) FILTER (WHERE {newer(since.xid, since.own)}) AS newer "
        f"FROM ONLY {table.name}"
        for number, table in enumerate(tables)
    )
    found = {tables[row["number"]]: row for row in await connection.fetch(" UNION ALL ".join(parts))}
    return [table for table, row in found.items() if row["newer"] or row["rows"] != await baseline.count(table)]


async def sequences_by_look(
    connection: asyncpg.Connection, baseline: Baseline, relations: Sequence[Relation]
) -> list[Relation]:
    """Return the sequences that have another value than they had."""
    sequences = [relation for relation in relations if relation.kind == "S"]
    values = await sequences_values(connection, sequences)
    return [one for one in sequences if values[one.oid] != await baseline.sequence(one)]
