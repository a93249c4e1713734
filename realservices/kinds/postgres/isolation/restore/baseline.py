"""What a database that servers use held when the first test began.

Most of that is still what the pristine copy has, in the same places. Remembered is only the rest: what servers wrote
before the first test, as rows that are newer than the template, in blocks that were written since.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from realservices.kinds.postgres.isolation.restore.rows import conditions, newer, ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import asyncpg

    from realservices.kinds.postgres.isolation.restore.pristine import Place, Pristine, Relation

_TYPES = """SELECT attrelid,
        array_agg((attnum, atttypid, atttypmod, attisdropped, attgenerated)::text ORDER BY attnum) AS types
    FROM pg_attribute WHERE attrelid = ANY ($1) AND attnum > 0 GROUP BY attrelid"""
_CONTENT = "SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {} AS t"
_EVERYWHERE = "true"


@dataclass(slots=True)
class _Table:
    """What is remembered of a table.

    Attributes:
        is_whole: All of it is: the copy has none of it, or has it in another form.
        blocks: How many blocks it had.
        places: Where rows were, by block.
        texts: Those of rows that the copy does not have.
    """

    is_whole: bool = False
    blocks: int = 0
    places: dict[int, list[Place]] = field(default_factory=dict)
    texts: dict[Place, str] = field(default_factory=dict)


class Baseline:
    """Remembers one database.

    Args:
        pristine: What it is a copy of, by files; None: that is not there.
        since: No row of the copy was written by this transaction or a later one.
    """

    def __init__(self, pristine: Pristine | None, since: int) -> None:
        self._pristine = pristine
        self._since = since
        self._tables: dict[int, _Table] = {}
        self._views: dict[int, str] = {}
        self._sequences: dict[int, tuple[int, bool]] = {}
        self._files: dict[int, int | None] = {}
        self._counts: dict[int, int] = {}

    async def take(
        self, connection: asyncpg.Connection, relations: Mapping[Relation, list[int]], *, is_altered: bool
    ) -> None:
        """Remember relations that were written since they were copied.

        Args:
            connection: To the database, in a transaction that sees one moment.
            relations: Tables with their blocks that were written, sequences and materialized views.
            is_altered: The schema may be another one than the copy's.
        """
        oids = [relation.oid for relation in relations]
        if self._pristine is not None:
            await self._pristine.load(oids)
        altered = await self._altered(connection, oids) if is_altered else set[int]()
        self._sequences |= await sequences_values(connection, (each for each in relations if each.kind == "S"))
        for relation, blocks in relations.items():
            copied = await self._copied(relation)
            is_whole = copied is None or copied.file != relation.file or relation.oid in altered
            self._files[relation.oid] = relation.file
            if relation.kind == "m":
                self._views[relation.oid] = await content(connection.fetch, relation)
            elif relation.kind == "r" and (is_whole or blocks):
                self._tables[relation.oid] = await self._taken(connection, relation, blocks, is_whole=is_whole)

    async def _altered(self, connection: asyncpg.Connection, oids: list[int]) -> set[int]:
        """Return the tables whose rows have another form than in the copy."""
        now = {row["attrelid"]: row["types"] for row in await connection.fetch(_TYPES, oids)}
        rows = await self._pristine.fetch(_TYPES, oids) if self._pristine is not None else []
        was = {row["attrelid"]: row["types"] for row in rows}
        return {oid for oid, types in now.items() if was.get(oid) != types}

    async def _taken(
        self, connection: asyncpg.Connection, relation: Relation, blocks: list[int], *, is_whole: bool
    ) -> _Table:
        table = _Table(is_whole, relation.blocks)
        if not is_whole:
            table.places |= {block: [] for first, end in ranges(blocks) for block in range(first, end)}
        is_kept = _EVERYWHERE if is_whole else newer(self._since)
        for where in [_EVERYWHERE] if is_whole else conditions(blocks):
            query = f"SELECT ctid, CASE WHEN {is_kept} THEN t::text END FROM ONLY {relation.name} AS t WHERE {where}"
            for place, text in await connection.fetch(query):
                table.places.setdefault(place[0], []).append(place)
                if text is not None:
                    table.texts[place] = text
        return table

    async def file(self, relation: Relation) -> int | None:
        """Return the number of the file that a relation had; None where it was not there."""
        if relation.oid in self._files:
            return self._files[relation.oid]
        copied = await self._copied(relation)
        return copied.file if copied else None

    async def blocks(self, relation: Relation) -> int:
        """Return how many blocks a table had."""
        if relation.oid in self._tables:
            return self._tables[relation.oid].blocks
        copied = await self._copied(relation)
        return copied.blocks if copied else 0

    async def places(self, relation: Relation, blocks: Iterable[int]) -> list[Place]:
        """Return where there were rows, in some blocks of a table."""
        blocks = list(blocks)
        table = self._tables.get(relation.oid, _Table())
        found = [place for block in blocks for place in table.places.get(block, ())]
        others = [] if table.is_whole else [block for block in blocks if block not in table.places]
        if others and (copied := await self._copied(relation)):
            assert self._pristine is not None
            found += await self._pristine.places(copied, others)
        return found

    async def rows(self, relation: Relation, places: list[Place]) -> list[str]:
        """Return rows of a table as texts, in the order of ``places``."""
        texts = self._tables.get(relation.oid, _Table()).texts
        others = [place for place in places if place not in texts]
        if others and (copied := await self._copied(relation)):
            assert self._pristine is not None
            texts = texts | dict(zip(others, await self._pristine.rows(copied, others), strict=True))
        return [texts[place] for place in places]

    async def sequence(self, relation: Relation) -> tuple[int, bool]:
        """Return a sequence's last value, and whether it was called for."""
        if relation.oid not in self._sequences and (copied := await self._copied(relation)):
            assert self._pristine is not None
            return await self._pristine.sequence(copied)
        return self._sequences.get(relation.oid, (0, False))

    async def count(self, relation: Relation) -> int:
        """Return how many rows a table had."""
        table = self._tables.get(relation.oid, _Table())
        known = sum(map(len, table.places.values()))
        copied = await self._copied(relation)
        if table.is_whole or copied is None:
            return known
        assert self._pristine is not None
        if relation.oid not in self._counts:
            ((self._counts[relation.oid],),) = await self._pristine.fetch(f"SELECT count(*) FROM ONLY {copied.name}")
        return known + self._counts[relation.oid] - len(await self._pristine.places(copied, table.places))

    async def content(self, relation: Relation) -> str:
        """Return what a materialized view held, in short."""
        if relation.oid not in self._views and (copied := await self._copied(relation)):
            assert self._pristine is not None
            return await content(self._pristine.fetch, copied)
        return self._views.get(relation.oid, "")

    async def _copied(self, relation: Relation) -> Relation | None:
        """Return a relation as the copy has it, maybe by another name."""
        return await self._pristine.find(relation.oid) if self._pristine is not None else None


async def sequences_values(
    connection: asyncpg.Connection, sequences: Iterable[Relation]
) -> dict[int, tuple[int, bool]]:
    """Return the present value of sequences, and whether each was called for, by object id."""
    # From themselves: the view pg_sequences has no value for one that was set but not called.
    parts = [f"SELECT {one.oid} AS oid, last_value, is_called FROM {one.name}" for one in sequences]
    rows = await connection.fetch(" UNION ALL ".join(parts)) if parts else []
    return {row["oid"]: (row["last_value"], row["is_called"]) for row in rows}


async def content(fetch: Any, relation: Relation) -> str:
    """Return what a materialized view holds, in short; ``fetch`` asks its database. Empty: it is not filled."""
    ((is_filled,),) = await fetch("SELECT relispopulated FROM pg_class WHERE oid = $1", relation.oid)
    return str((await fetch(_CONTENT.format(relation.name)))[0][0]) if is_filled else ""
