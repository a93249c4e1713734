"""The pristine copy of a database: what its relations are, where their rows lie, and the rows themselves.

Nobody writes to it, so what is once known stays true. A clone that PostgreSQL made by copying files has each relation
in a file of the same number and each row at the same place (ctid), until something is written to it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import asyncpg

from realservices.kinds.postgres.databases import SCHEMAS_SETTINGS
from realservices.kinds.postgres.isolation.restore.known_types import as_texts, at_places
from realservices.kinds.postgres.isolation.restore.pages import UndecidedError, row_numbers, unknown_transactions
from realservices.kinds.postgres.isolation.restore.rows import ranges

if TYPE_CHECKING:
    from collections.abc import Iterable

# A larger table has several files.
_MOST_BLOCKS = 1 << 17
_MOST_READ_BLOCKS = 1024

Place = tuple[int, int]
"""Where a row lies: block and number in it (ctid)."""

RESTORER = "realservices restoring"
"""What such connections call themselves."""
SETTINGS = {
    **SCHEMAS_SETTINGS,
    "application_name": RESTORER,
    # Neither triggers nor foreign keys: what was there before was consistent.
    "session_replication_role": "replica",
    "synchronous_commit": "off",
    "lock_timeout": "5s",
    "idle_session_timeout": "0",
    # Rows go from here to the clone as texts, which must mean the same on both sides.
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "xmloption": "content",
    "search_path": "pg_catalog",
    # Asked again and again, with other numbers only.
    "plan_cache_mode": "force_generic_plan",
    "default_transaction_read_only": "off",
}
"""Of a connection that reads or writes rows to restore them, whatever the database's or the role's own settings are."""

RELATION = """SELECT c.oid, c.relkind::text AS kind, n.nspname = 'pg_catalog' AS is_catalog,
        format('%I.%I', n.nspname, c.relname) AS name, pg_relation_filenode(c.oid) AS file,
        pg_relation_size(c.oid) / current_setting('block_size')::int AS blocks,
        ARRAY(SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0
            AND NOT attisdropped AND attgenerated = '' ORDER BY attnum) AS columns,
        EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal AND tgenabled IN ('A', 'R'))
            OR EXISTS (SELECT FROM pg_rewrite WHERE ev_class = c.oid AND ev_enabled IN ('A', 'R')) AS fires
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE """
"""A query for `relation_of`, without its condition on c (pg_class) and n (its pg_namespace)."""
_BY_FILE = RELATION + "c.oid = pg_filenode_relation($1, $2)"
BY_OID = RELATION + "c.oid = ANY ($1)"
"""Likewise, for some object ids."""
_UNLOGGED = "SELECT oid FROM pg_class WHERE relpersistence = 'u' AND relkind IN ('r', 'S')"
_PAGES = """SELECT pg_read_binary_file(pg_relation_filepath($1::oid), $2::bigint * size, $3::bigint * size), size
    FROM current_setting('block_size') AS setting, CAST(setting AS int) AS size"""
_OUTCOMES = """SELECT xid, pg_xact_status(xid::xid8) AS outcome, pg_current_xact_id()::text::bigint >> 32 AS epoch
    FROM unnest($1::text[]) AS xid"""
_PLACES = "SELECT ctid FROM ONLY {} WHERE ctid >= $1::text::tid AND ctid < $2::text::tid"


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, sequence, index, … as the pristine copy has it.

    Attributes:
        oid: Its object id, the same in each clone.
        kind: As in pg_class: ``r`` for a table, ``S`` for a sequence, and so on.
        is_catalog: It is one of PostgreSQL's own.
        name: Quoted, with its schema.
        file: The number of its file.
        blocks: How many blocks it has.
        columns: Those that are not generated, quoted.
        fires: A trigger or rule of it does so even while rows are restored.
    """

    oid: int
    kind: str
    is_catalog: bool
    name: str
    file: int | None
    blocks: int
    columns: tuple[str, ...]
    fires: bool


class RowSource(Protocol):
    """Where rows of tables are restored from."""

    async def places(self, relation: Relation, blocks: Iterable[int]) -> list[Place]:
        """Return where there were rows, in some blocks of a table."""

    async def rows(self, relation: Relation, places: list[Place]) -> list[str]:
        """Return rows of a table as texts, in the order of ``places``."""


class Pristine:
    """Reads the copy, over a connection of its own that is made when it is needed.

    Args:
        connect_kwargs: Arguments for `asyncpg.connect`.
    """

    def __init__(self, connect_kwargs: dict[str, Any]) -> None:
        self._connect_kwargs = connect_kwargs
        self._connection: asyncpg.Connection | None = None
        self._lock = asyncio.Lock()
        self._by_file: dict[tuple[int, int], Relation | None] = {}
        self._by_oid: dict[int, Relation] = {}
        self._places: dict[tuple[int, int], list[Place]] = {}
        self._outcome: dict[int, bool] = {}
        self._sequences: dict[int, tuple[int, bool]] = {}
        self._unlogged: list[Relation] | None = None

    async def by_file(self, tablespace: int, file: int) -> Relation | None:
        """Return the relation that a file belongs to; None where the copy has no such file."""
        key = tablespace, file
        if key not in self._by_file:
            found = await self._fetch(_BY_FILE, tablespace, file)
            self._by_file[key] = relation_of(found[0]) if found else None
        return self._by_file[key]

    async def by_oid(self, oid: int) -> Relation:
        """Return the relation with an object id that the copy has."""
        if oid not in self._by_oid:
            for found in await self._fetch(BY_OID, [oid]):
                self._by_oid[oid] = relation_of(found)
        return self._by_oid[oid]

    async def find(self, oid: int) -> Relation | None:
        """Return the relation with an object id, if the copy has it."""
        await self.load([oid])
        return self._by_oid.get(oid)

    async def load(self, oids: Iterable[int]) -> None:
        """Ask for several relations at once."""
        unknown = [oid for oid in oids if oid not in self._by_oid]
        for found in await self._fetch(BY_OID, unknown) if unknown else ():
            self._by_oid[found["oid"]] = relation_of(found)

    async def unlogged(self) -> list[Relation]:
        """Return the tables and sequences that the write-ahead log says nothing of."""
        if self._unlogged is None:
            self._unlogged = [await self.by_oid(row["oid"]) for row in await self._fetch(_UNLOGGED)]
        return self._unlogged

    async def places(self, relation: Relation, blocks: Iterable[int]) -> list[Place]:
        """Return where the copy has rows, in some blocks of a table."""
        found: list[Place] = []
        wanted = [block for block in blocks if block < relation.blocks]
        unknown = [block for block in wanted if (relation.oid, block) not in self._places]
        for first, end in ranges(unknown):
            try:
                read = await self._places_in_file(relation, first, end)
            except UndecidedError:
                read = await self._places_in_table(relation, first, end)
            self._places |= read  # All at once: databases are restored side by side.
        for block in wanted:
            found += self._places[relation.oid, block]
        return found

    async def _places_in_file(self, relation: Relation, first: int, end: int) -> dict[tuple[int, int], list[Place]]:
        """Return where rows are in a range of blocks, by table and block, without opening the table.

        Raises:
            UndecidedError: The table has to be asked.
        """
        if relation.blocks > _MOST_BLOCKS or end - first > _MOST_READ_BLOCKS:
            raise UndecidedError
        ((pages, size),) = await self._fetch(_PAGES, relation.oid, first, end - first)
        if len(pages) != (end - first) * size:
            raise UndecidedError
        by_block = {block: pages[begin : begin + size] for block, begin in zip(range(first, end), count(0, size))}
        outcomes = await self._outcomes({xid for page in by_block.values() for xid in unknown_transactions(page)})
        return {
            (relation.oid, block): [(block, number) for number in row_numbers(page, outcomes)]
            for block, page in by_block.items()
        }

    async def _outcomes(self, xids: set[int]) -> dict[int, bool]:
        """Return whether transactions have committed.

        Raises:
            UndecidedError: That is not known of one.
        """
        unknown = xids - self._outcome.keys()
        for xid, outcome, epoch in await self._fetch(_OUTCOMES, [*map(str, unknown)]) if unknown else ():
            if epoch or outcome not in ("committed", "aborted"):
                raise UndecidedError
            self._outcome[int(xid)] = outcome == "committed"
        return self._outcome

    async def _places_in_table(self, relation: Relation, first: int, end: int) -> dict[tuple[int, int], list[Place]]:
        """Return the same from the server."""
        places: dict[tuple[int, int], list[Place]] = {(relation.oid, block): [] for block in range(first, end)}
        for row in await self._fetch(_PLACES.format(relation.name), f"({first},0)", f"({end},0)"):
            places[relation.oid, row["ctid"][0]].append(row["ctid"])
        return places

    async def rows(self, relation: Relation, places: list[Place]) -> list[str]:
        """Return rows of a table as texts, in the order of ``places``."""
        query = f"SELECT ctid, realservices_row::text FROM ONLY {relation.name} AS realservices_row WHERE {at_places()}"
        texts = {row[0]: row[1] for row in await self._fetch(query, as_texts(places))}
        return [texts[place] for place in places]

    async def sequence(self, relation: Relation) -> tuple[int, bool]:
        """Return a sequence's last value, and whether it was called for."""
        if relation.oid not in self._sequences:
            ((value, is_called),) = await self._fetch(f"SELECT last_value, is_called FROM {relation.name}")
            self._sequences[relation.oid] = value, is_called
        return self._sequences[relation.oid]

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        """Run a query in the copy."""
        return await self._fetch(query, *arguments)

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.terminate()

    async def _fetch(self, query: str, *arguments: Any) -> list[Any]:
        async with self._lock:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(**self._connect_kwargs, server_settings=SETTINGS)
            rows: list[Any] = await self._connection.fetch(query, *arguments)
            return rows


def relation_of(row: Any) -> Relation:
    """Return the relation that a row of `RELATION` describes."""
    return Relation(**{**row, "columns": tuple(row["columns"])})
