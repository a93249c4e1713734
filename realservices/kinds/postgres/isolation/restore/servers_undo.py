"""One transaction that undoes what was written to a database while servers use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationBrokenError
from realservices.kinds.postgres.isolation.restore.baseline import content
from realservices.kinds.postgres.isolation.restore.changes import LARGE_OBJECTS_NAMES
from realservices.kinds.postgres.isolation.restore.rows import MovedRows, bring_back, deletions, insert, newer

if TYPE_CHECKING:
    import asyncpg

    from realservices.kinds.postgres.isolation.restore.baseline import Baseline
    from realservices.kinds.postgres.isolation.restore.changes import Changes
    from realservices.kinds.postgres.isolation.restore.pristine import Relation
    from realservices.kinds.postgres.isolation.restore.written import Position

# Triggers and rules that fire in spite of session_replication_role = replica.
_FIRING = """WITH firing AS (
        SELECT tgrelid AS relation, format('TRIGGER %I', tgname) AS what, tgenabled AS mode
        FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT ev_class, format('RULE %I', rulename), ev_enabled FROM pg_rewrite)
    SELECT format('ALTER TABLE ONLY %s DISABLE %s', relation::regclass, what) AS off,
        format('ALTER TABLE ONLY %s ENABLE %s %s', relation::regclass,
            CASE mode WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END, what) AS on
    FROM firing WHERE mode IN ('A', 'R') AND relation = ANY ($1::oid[])"""
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL allow_system_table_mods = on"
_XID = "SELECT pg_current_xact_id()::text::bigint"
_BLOCKS = "SELECT pg_relation_size($1::oid) / current_setting('block_size')::int"
# Of a table that is filled again from the ground up, so many blocks at a time.
_BLOCKS_AT_ONCE = 500
# What deleted rows leave in a table slows the tests down; taking it away costs some milliseconds.
_VACUUM_AFTER_BLOCKS = 64


class ServersUndo:
    """Undoes changes, again and again.

    Args:
        baseline: What was there.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self._moved: dict[int, MovedRows] = {}
        self._files: dict[int, int | None] = {}
        self._least_blocks: dict[int, int] = {}
        # Tables in a transaction of which is not known whether it was committed.
        self._doubtful: dict[int, Relation] = {}

    async def file(self, relation: Relation) -> int | None:
        """Return the number of the file that a relation had when it was last restored."""
        return self._files.get(relation.oid) or await self._baseline.file(relation)

    async def run(self, connection: asyncpg.Connection, changes: Changes, since: Position) -> int:
        """Undo changes; return the transaction that did, 0 where there was nothing to undo.

        Args:
            connection: To the database.
            changes: What may have changed.
            since: Newer rows go.
        """
        for relation in self._doubtful.values():
            changes.add_whole(relation)
        if not (changes.tables or changes.sequences or changes.views):
            return 0
        try:
            xid = await self._undone(connection, changes, since)
            await connection.execute("COMMIT")
        except BaseException:
            if not connection.is_closed():
                await connection.execute("ROLLBACK")
            raise
        self._doubtful = {}
        for relation in (*changes.whole, *changes.sequences):
            self._files[relation.oid] = relation.file
        for table in changes.tables:
            await self._vacuum(connection, table, changes.blocks.get(table))
        return xid

    async def _undone(self, connection: asyncpg.Connection, changes: Changes, since: Position) -> int:
        await connection.execute("; ".join([_BEGIN, *_locks(changes.tables)]))
        xid: int = await connection.fetchval(_XID)
        self._doubtful = {table.oid: table for table in changes.tables}
        oids = [table.oid for table in changes.tables if table.fires]
        firing = await connection.fetch(_FIRING, oids) if oids else []
        values = [(one, await self._baseline.sequence(one)) for one in changes.sequences]
        statements = [
            "SELECT",  # Else there may be none.
            *(row["off"] for row in firing),
            *_unlinking(changes, since),
            *(f"DELETE FROM ONLY {table.name}" for table in changes.whole),
            *(
                text
                for table, blocks in changes.blocks.items()
                for text in deletions(table, blocks, since.xid, since.own)
            ),
            *(f"SELECT setval({_literal(one.name)}, {value}, {is_called})" for one, (value, is_called) in values),
        ]
        # First all new rows go, because old ones may have their keys.
        await connection.execute("; ".join(statements))
        await self._fill(connection, changes)
        if firing:
            await connection.execute("; ".join(row["on"] for row in firing))
        for view in sorted(changes.views, key=lambda view: view.oid):
            await self._refresh(connection, view)
        return xid

    async def _fill(self, connection: asyncpg.Connection, changes: Changes) -> None:
        for table, blocks in changes.blocks.items():
            moved = self._moved.setdefault(table.oid, MovedRows())
            await bring_back(connection, self._baseline, table, blocks, moved)
        for table in changes.whole:
            moved = self._moved[table.oid] = MovedRows()
            end = await self._baseline.blocks(table)
            for first in range(0, end, _BLOCKS_AT_ONCE):
                places = await self._baseline.places(table, range(first, min(first + _BLOCKS_AT_ONCE, end)))
                await insert(connection, self._baseline, table, places, moved)

    async def _refresh(self, connection: asyncpg.Connection, view: Relation) -> None:
        was = await self._baseline.content(view)
        await connection.execute(f"REFRESH MATERIALIZED VIEW {view.name}{'' if was else ' WITH NO DATA'}")
        self._files[view.oid] = await connection.fetchval("SELECT pg_relation_filenode($1::oid)", view.oid)
        if await content(connection.fetch, view) != was:
            raise IsolationBrokenError(
                f"a test, or a server on its behalf, has refreshed materialized view {view.name} of a database that "
                "servers use, and it held something else before than what a refresh gives. The database has been made "
                "anew from its template. Refresh it in the service's migrations or seeds, after the rows it is made of"
            )

    async def _vacuum(self, connection: asyncpg.Connection, table: Relation, blocks: list[int] | None) -> None:
        least = self._least_blocks.get(table.oid)
        if least is None:
            least = await self._baseline.blocks(table)
        end = max(blocks) if blocks else await connection.fetchval(_BLOCKS, table.oid)
        if end - least > _VACUUM_AFTER_BLOCKS:
            await connection.execute(f"VACUUM {table.name}")
            self._least_blocks[table.oid] = await connection.fetchval(_BLOCKS, table.oid)


def _locks(tables: list[Relation]) -> list[str]:
    # Who writes meanwhile waits, and what is not committed yet is waited for.
    names = ", ".join(f"ONLY {table.name}" for table in tables)
    return [f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"] if names else []


def _unlinking(changes: Changes, since: Position) -> list[str]:
    """Return what removes new large objects with their comments and privileges."""
    return [
        f"SELECT lo_unlink(oid) FROM {table.name} WHERE {newer(since.xid, since.own)}"
        for table in changes.tables
        if table.name == LARGE_OBJECTS_NAMES
    ]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
