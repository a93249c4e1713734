"""One database of the tests', restored after each of them to what it was when it was made.

Everything that is written is undone behind the test, in the same database: new rows are deleted, old ones that were
deleted or changed are inserted again, sequences are set. Where the schema has changed, or where that cannot be told,
`SchemaChangedError` says so, and the database is replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.kinds.postgres.isolation.restore.backends import end_backends
from realservices.kinds.postgres.isolation.restore.catalogs import Catalogs, SchemaChangedError
from realservices.kinds.postgres.isolation.restore.known_types import as_places, as_texts, at_places
from realservices.kinds.postgres.isolation.restore.pristine import SETTINGS, Relation
from realservices.kinds.postgres.isolation.restore.rows import MovedRows, expected_rows, insert, ranges
from realservices.kinds.postgres.isolation.restore.written import Position

if TYPE_CHECKING:
    from collections.abc import Collection

    from realservices.kinds.postgres.isolation.restore.pristine import Place, Pristine
    from realservices.kinds.postgres.isolation.restore.written import WriteAheadLog, Written

_OID = "SELECT oid FROM pg_database WHERE datname = current_database()"
_OWNERS = """SELECT relation::oid
    FROM unnest($1::oid[], $2::oid[]) AS f (space, file), pg_filenode_relation(space, file) AS relation"""
_SUBSCRIPTIONS = "SELECT quote_ident(subname) AS name FROM pg_subscription WHERE subdbid = $1"
_BLOCKS = "SELECT pg_relation_size($1::oid) / current_setting('block_size')::int"
# Of PostgreSQL itself; the first object id that users' objects get is 16384 (access/transam.h).
_FIRST_OF_USERS = 16384
# Restoring more rows of one table than this takes longer than another database.
_MOST_ROWS = 10_000
# What deleted rows leave in a table slows the tests down; taking it away costs some milliseconds.
_VACUUM_AFTER_BLOCKS = 64
_MOST_ENDINGS = 10
_CLOSE_TIMEOUT_S = 1.0


class RestorableDatabase:
    """A clone of a pristine database, from its making on.

    Attributes:
        oid: Its object id.
        had_others: `restore` had to end backends that were not expected in the database.
        is_server_suspect: What `restore` has found may be of the server as a whole.

    Args:
        connect_kwargs: Arguments for `asyncpg.connect`, to it.
        pristine: What it is a copy of, by files.
        log: The server's.
    """

    def __init__(self, connect_kwargs: dict[str, Any], pristine: Pristine, log: WriteAheadLog) -> None:
        self._connect_kwargs = connect_kwargs
        self._pristine = pristine
        self._log = log
        self._connection: asyncpg.Connection | None = None
        self.oid = 0
        self._position: Position | None = None
        self._catalogs = Catalogs()
        self._moved: dict[int, MovedRows] = {}
        self._least_blocks: dict[int, int] = {}
        self.had_others = False
        self.is_server_suspect = True
        self._signs = ""

    async def begin(self) -> None:
        """Remember the present as what is restored. Nobody has written to the database yet."""
        self.oid, self._position, self._signs = await self._log.beginning(self._connect_kwargs["database"])

    async def take_signs(self) -> None:
        """Remember the present state of the server as a whole as what is expected."""
        self._signs = await self._log.signs(self.oid)

    async def restore(self, expected: Collection[int]) -> None:
        """Undo what was written since `begin` or the last time.

        Args:
            expected: Process ids of backends that stay connected and have no transaction open. All others are ended.

        Raises:
            SchemaChangedError: That cannot be undone in place.
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError: The server does not serve, or refused something.
        """
        connection = await self._connected()
        self.is_server_suspect = True
        written = await self._written(connection, (*expected, connection.get_server_pid()))
        self.is_server_suspect = written.is_shared or written.signs != self._signs
        self._signs = written.signs
        if written.is_shared:
            await self._end_subscriptions(connection)
        tables, sequences, catalogs = await self._sorted(connection, written)
        rewritten = await self._catalogs.check(connection, self._pristine, catalogs, self._since) if catalogs else []
        for oid in rewritten:
            await self._take_rewritten(connection, await self._pristine.by_oid(oid), tables, sequences)
        own = await self._undo(connection, tables, sequences) if tables or sequences else 0
        if own is None or rewritten:
            self._position = await self._log.position()
        else:
            self._position = Position(written.lsn, self._since, own)

    async def close(self) -> None:
        """Disconnect, so that nobody is in the database."""
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close(timeout=_CLOSE_TIMEOUT_S)

    def rename(self, name: str) -> None:
        """Take note of the database's new name. It is the same database."""
        self._connect_kwargs = self._connect_kwargs | {"database": name}

    @property
    def _since(self) -> int:
        assert self._position is not None
        return self._position.xid

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(**self._connect_kwargs, server_settings=SETTINGS)
            if await self._connection.fetchval(_OID) != self.oid:
                raise SchemaChangedError("the test has dropped the database, and made one of its name")
        return self._connection

    async def _written(self, connection: asyncpg.Connection, expected: tuple[int, ...]) -> Written:
        """Return what was written, when nobody writes any more."""
        assert self._position is not None
        self.had_others = False
        for _ in range(_MOST_ENDINGS):
            written = await self._log.written(self.oid, self._position, expected)
            if written.others:
                self.had_others = True
                await end_backends(connection, list(written.others))
            for name in written.prepared:
                await connection.execute("ROLLBACK PREPARED '" + name.replace("'", "''") + "'")
            if not written.others and not written.prepared:
                return written
        raise SchemaChangedError("clients that connect again and again")

    async def _end_subscriptions(self, connection: asyncpg.Connection) -> None:
        """Remove subscriptions, without which a database cannot be dropped, and leave the publisher alone."""
        for row in await connection.fetch(_SUBSCRIPTIONS, self.oid):
            for change in ("ALTER SUBSCRIPTION {} DISABLE", "ALTER SUBSCRIPTION {} SET (slot_name = NONE)"):
                await connection.execute(change.format(row["name"]))
            await connection.execute(f"DROP SUBSCRIPTION {row['name']}")

    async def _sorted(
        self, connection: asyncpg.Connection, written: Written
    ) -> tuple[dict[Relation, list[int]], list[Relation], dict[Relation, list[int]]]:
        """Return what was written as blocks by table, sequences, and blocks by catalog."""
        tables: dict[Relation, list[int]] = {}
        sequences: list[Relation] = []
        catalogs: dict[Relation, list[int]] = {}
        unknown: list[tuple[int, int]] = []
        for (space, file), blocks in written.blocks.items():
            relation = await self._relation(space, file)
            if relation is None:
                unknown.append((space, file))
            elif relation.kind == "S":
                sequences.append(relation)
            elif relation.kind == "m":
                raise SchemaChangedError(relation.name)
            elif relation.kind == "r" and blocks:
                (catalogs if relation.is_catalog else tables)[relation] = blocks
        for relation in await self._pristine.unlogged():
            if relation.kind == "S":
                sequences.append(relation)
            else:
                tables[relation] = list(range(await connection.fetchval(_BLOCKS, relation.oid)))
        if unknown:
            owners = await connection.fetch(_OWNERS, [space for space, _ in unknown], [file for _, file in unknown])
            if any(row["relation"] and row["relation"] < _FIRST_OF_USERS for row in owners):
                raise SchemaChangedError("a catalog in another file")
        return tables, sequences, catalogs

    async def _relation(self, space: int, file: int) -> Relation | None:
        if file in self._catalogs.files:
            return await self._pristine.by_oid(self._catalogs.files[file])
        return await self._pristine.by_file(space, file)

    async def _take_rewritten(
        self,
        connection: asyncpg.Connection,
        relation: Relation,
        tables: dict[Relation, list[int]],
        sequences: list[Relation],
    ) -> None:
        """Restore a relation that has got another file: all of it, where it is a table."""
        if relation.kind == "S":
            sequences.append(relation)
        elif relation.kind == "m":
            raise SchemaChangedError(relation.name)
        elif relation.kind == "r" and not relation.is_catalog:
            await self._refill(connection, relation)
            tables.pop(relation, None)
        elif relation.is_catalog:
            raise SchemaChangedError(relation.name)

    async def _refill(self, connection: asyncpg.Connection, relation: Relation) -> None:
        _refuse_firing(relation)
        places = await self._pristine.places(relation, range(relation.blocks))
        if len(places) > _MOST_ROWS:
            raise SchemaChangedError(relation.name)
        await connection.execute(f"DELETE FROM ONLY {relation.name}")
        self._moved[relation.oid] = MovedRows()
        await insert(connection, self._pristine, relation, places, self._moved[relation.oid])

    async def _undo(
        self, connection: asyncpg.Connection, tables: dict[Relation, list[int]], sequences: list[Relation]
    ) -> int | None:
        """Undo what was written; return the transaction that has, or None where it took more than one."""
        undo = _Undo(self._since)
        for relation in sequences:
            undo.set(relation, *await self._pristine.sequence(relation))
        expected: dict[Relation, dict[Place, Place]] = {}
        for relation, blocks in tables.items():
            _refuse_firing(relation)
            moved = self._moved.setdefault(relation.oid, MovedRows())
            expected[relation] = await expected_rows(self._pristine, relation, blocks, moved)
            undo.remove(relation, blocks, list(expected[relation]))
        # First all new rows go, because old ones may have their keys.
        (row,) = await connection.fetch(undo.text, *undo.arguments)
        is_whole = True
        for relation, blocks in tables.items():
            missing = expected[relation]
            for place in as_places(row[_column(relation)]):
                del missing[place]
            await insert(connection, self._pristine, relation, list(missing.values()), self._moved[relation.oid])
            is_vacuumed = await self._vacuum(connection, relation, blocks)
            is_whole = is_whole and not missing and not is_vacuumed
        return int(row["own"]) if is_whole else None

    async def _vacuum(self, connection: asyncpg.Connection, relation: Relation, blocks: list[int]) -> bool:
        least = self._least_blocks.get(relation.oid, relation.blocks)
        if not blocks or max(blocks) - least <= _VACUUM_AFTER_BLOCKS:
            return False
        await connection.execute(f"VACUUM {relation.name}")
        self._least_blocks[relation.oid] = await connection.fetchval(_BLOCKS, relation.oid)
        return True


class _Undo:
    """One statement that removes new rows, sets sequences and tells which old rows are there.

    Its text is the same for the same relations, so that PostgreSQL parses and plans it once.

    Attributes:
        arguments: Of the statement.

    Args:
        since: Rows of this transaction and of later ones are new.
    """

    def __init__(self, since: int) -> None:
        self.arguments: list[Any] = []
        self._since = since
        self._deletions: list[str] = []
        self._columns = ["pg_current_xact_id()::text::bigint AS own"]

    @property
    def text(self) -> str:
        """The statement's text."""
        steps = ", ".join(f"step_{number} AS ({text})" for number, text in enumerate(self._deletions))
        return f"{'WITH ' if steps else ''}{steps} SELECT {', '.join(self._columns)}"

    def set(self, sequence: Relation, value: int, is_called: bool) -> None:
        """Set a sequence."""
        self._columns.append(f"setval({_literal(sequence.name)}::regclass, {value}, {is_called})")

    def remove(self, table: Relation, blocks: list[int], old: list[Place]) -> None:
        """Remove new rows from some blocks of a table. A column of the result tells which old rows are there."""
        for first, end in ranges(blocks):
            begin, until, since = map(self._argument, ((first, 0), (end, 0), self._since))
            where = f"ctid >= {begin} AND ctid < {until} AND xmin::text::bigint >= {since}"
            self._deletions.append(f"DELETE FROM ONLY {table.name} WHERE {where}")
        # A new row may lie where an old one was, which the test has deleted and a VACUUM taken away.
        places, since = self._argument(as_texts(old)), self._argument(self._since)
        where = f"{at_places(places)} AND xmin::text::bigint < {since}"
        self._columns.append(f"ARRAY(SELECT ctid::text FROM ONLY {table.name} WHERE {where}) AS {_column(table)}")

    def _argument(self, value: Any) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}"


def _column(table: Relation) -> str:
    return f"present_{table.oid}"


def _refuse_firing(relation: Relation) -> None:
    if relation.fires or not relation.columns:
        raise SchemaChangedError(relation.name)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
