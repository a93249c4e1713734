"""Tell whether a database's schema is still that of its pristine copy, from the blocks of catalogs that were written.

A catalog is written without a change of the schema, too: by temporary tables, whose rows are gone with the session, and
by TRUNCATE, REINDEX or VACUUM FULL, which give a relation another file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.kinds.postgres.isolation.restore.known_types import as_texts, at_places
from realservices.kinds.postgres.isolation.restore.rows import MovedRows, conditions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

    from realservices.kinds.postgres.isolation.restore.pristine import Place, Pristine, Relation

# What a relation's row says of its file and not of the relation.
_OF_THE_FILE = "relfilenode, relpages, reltuples, relallvisible, relallfrozen, relfrozenxid, relminmxid"
_WITHOUT_FILE = f"to_jsonb(c) - '{{{_OF_THE_FILE}}}'::text[]"
_RELATIONS = f"SELECT ctid, oid, {_WITHOUT_FILE} AS meaning, relfilenode FROM pg_class AS c WHERE {at_places()}"
# The schema for temporary tables of a backend stays for the next one.
_LASTING = f"SELECT count(*) FROM pg_namespace WHERE {at_places()} AND nspname !~ '^pg_(toast_)?temp_'"


class SchemaChangedError(Exception):
    """The schema is another one: the database is not worth restoring."""


class Catalogs:
    """The catalogs of one database.

    Attributes:
        files: Relations whose file has another number than in the pristine copy: object id by that number.
    """

    def __init__(self) -> None:
        self.files: dict[int, int] = {}
        self._moved: dict[int, MovedRows] = {}

    async def check(
        self, connection: asyncpg.Connection, pristine: Pristine, written: Mapping[Relation, list[int]], since: int
    ) -> list[int]:
        """Return the relations that have got another file.

        Args:
            connection: To the database.
            pristine: Its copy.
            written: Blocks by catalog.
            since: No row was written by this transaction or a later one before the test.

        Raises:
            SchemaChangedError: Something else has changed.
        """
        rewritten: list[int] = []
        for catalog, blocks in written.items():
            new, missing = await self._compare(connection, pristine, catalog, blocks, since)
            if catalog.name.endswith(".pg_class") and (new or missing):
                rewritten = await self._rewritten(connection, pristine, catalog, new, missing)
            elif catalog.name.endswith(".pg_namespace") and not missing:
                if new and await connection.fetchval(_LASTING, as_texts(new)):
                    raise SchemaChangedError(catalog.name)
            elif new or missing:
                raise SchemaChangedError(catalog.name)
        return rewritten

    async def _compare(
        self, connection: asyncpg.Connection, pristine: Pristine, catalog: Relation, blocks: list[int], since: int
    ) -> tuple[list[Place], list[Place]]:
        """Return where new rows lie, and where the copy has those that are missing."""
        covered = set(blocks)
        expected = self._moved_of(catalog).expected(await pristine.places(catalog, blocks), covered)
        new: list[Place] = []
        for where in conditions(blocks):
            query = f"SELECT ctid, xmin::text::bigint >= $1 AS is_new FROM {catalog.name} WHERE {where}"
            for place, is_new in await connection.fetch(query, since):
                if is_new:
                    new.append(place)
                else:
                    expected.pop(place, None)
        return new, list(expected.values())

    async def _rewritten(
        self,
        connection: asyncpg.Connection,
        pristine: Pristine,
        catalog: Relation,
        new: list[Place],
        missing: list[Place],
    ) -> list[int]:
        was = {row["oid"]: row for row in await pristine.fetch(_RELATIONS, as_texts(missing))}
        now = {row["oid"]: row for row in await connection.fetch(_RELATIONS, as_texts(new))}
        if was.keys() != now.keys() or any(was[oid]["meaning"] != now[oid]["meaning"] for oid in was):
            raise SchemaChangedError(catalog.name)
        for oid, row in now.items():
            self._moved_of(catalog).move(was[oid]["ctid"], row["ctid"])
            self.files = {file: other for file, other in self.files.items() if other != oid}
            self.files[row["relfilenode"]] = oid
        return list(now)

    def _moved_of(self, catalog: Relation) -> MovedRows:
        return self._moved.setdefault(catalog.oid, MovedRows())
