"""Which blocks of which relations were written since a position in the write-ahead log.

The log is read by PostgreSQL's own extension pg_walinspect (https://www.postgresql.org/docs/current/pgwalinspect.html),
which the template has in its database ``postgres``. What is asked for costs what was written, not what there is.
Not in the log: unlogged relations, and a sequence's values after the first since it was set or since a checkpoint. A
sequence's first value always is, and one that is restored is set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realservices.kinds.postgres.isolation.restore.cluster import IGNORED_FILES, SIGNS

if TYPE_CHECKING:
    from collections.abc import Collection

    from realservices.kinds.postgres.isolation.administration import Administration

# The first whose pg_logical_emit_message can flush the log, which pg_walinspect wants.
_FIRST_WITH_FLUSH = 170000
_PLACE = """pg_current_wal_insert_lsn() AS lsn,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid"""
_POSITION = f"SELECT {_PLACE}"
_BEGINNING = (
    f"SELECT oid, {_PLACE}, {SIGNS.replace('$2', 'named.oid')} AS signs FROM pg_database AS named WHERE datname = $1"
)
# Numbers are called object ids, because asyncpg knows arrays of these; see known_types.py.
# Who is connected is asked before the log's end is fixed: where nobody is, nothing can be missing in it. That end is a
# message, so that there is something to read, without which pg_walinspect fails.
_MOMENT = """WITH others AS MATERIALIZED (
        SELECT coalesce(array_agg(pid::oid), '{{}}') AS pids FROM pg_stat_activity
            WHERE datid = $2 AND pid::oid <> ALL ($3)),
    prepared AS MATERIALIZED (SELECT coalesce(array_agg(gid), '{{}}') AS gids FROM {prepared})
    SELECT pids, gids, {end} AS lsn, {signs} AS signs FROM others, prepared"""
_END = "pg_logical_emit_message(false, '', pids::text, true)"
_END_IN_TRANSACTION = "pg_logical_emit_message(true, '', pids::text)"
_BLOCKS = """SELECT reldatabase, reltablespace, relfilenode,
        array_agg(DISTINCT relblocknumber::oid) FILTER (WHERE relforknumber = 0) AS blocks
    FROM pg_get_wal_block_info($1, {end}, false)
    WHERE (reldatabase = $2 OR (reldatabase = 0 AND relfilenode <> ALL ($4))) AND xid IS DISTINCT FROM $5
    GROUP BY reldatabase, reltablespace, relfilenode"""
_WRITTEN = """WITH moment AS MATERIALIZED ({moment})
    SELECT moment.*, written.* FROM moment LEFT JOIN LATERAL ({blocks}) AS written ON true"""
_PREPARED = "pg_prepared_xacts JOIN pg_database ON datname = database WHERE pg_database.oid = $2"
_NONE_PREPARED = "(SELECT ''::text AS gid WHERE false) AS none"


@dataclass(frozen=True, slots=True)
class Position:
    """A moment at which nobody wrote to the database.

    Attributes:
        lsn: Where the log ended.
        xid: No row was written by this transaction or a later one.
        own: But for this one, which restored; 0: none did.
    """

    lsn: Any
    xid: int
    own: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """What the log says.

    Attributes:
        lsn: How far it was read.
        others: Process ids of backends in the database that were not expected there. Read again when they are gone.
        prepared: Names of prepared transactions in the database. Read again when they are rolled back.
        blocks: Numbers of the blocks by tablespace and file of the relation.
        is_shared: A catalog of the whole server was written.
        signs: A text that is another one where something else of the whole server has changed.
    """

    lsn: Any
    others: tuple[int, ...]
    prepared: tuple[str, ...]
    blocks: dict[tuple[int, int], list[int]]
    is_shared: bool
    signs: str


class WriteAheadLog:
    """Reads a server's log over the administrative connection.

    Args:
        administration: To the database that has pg_walinspect.
        server_version_num: The server's.
        has_two_phase: Transactions can be prepared.
    """

    def __init__(self, administration: Administration, server_version_num: int, *, has_two_phase: bool) -> None:
        self._administration = administration
        self._flushes_at_once = server_version_num >= _FIRST_WITH_FLUSH
        end = _END if self._flushes_at_once else _END_IN_TRANSACTION
        prepared = _PREPARED if has_two_phase else _NONE_PREPARED
        moment = _MOMENT.format(end=end, prepared=prepared, signs=SIGNS)
        self._moment = moment.replace("$2", "$1").replace("$3", "$2")
        self._written = _WRITTEN.format(moment=moment, blocks=_BLOCKS.format(end="moment.lsn"))

    async def position(self) -> Position:
        """Return the present position."""
        (row,) = await self._administration.fetch(_POSITION)
        return Position(row["lsn"], row["xid"])

    async def beginning(self, name: str) -> tuple[int, Position, str]:
        """Return a database's object id, the present position and the present signs, see `Written`."""
        ((oid, lsn, xid, signs),) = await self._administration.fetch(_BEGINNING, name)
        return oid, Position(lsn, xid), signs

    async def signs(self, database: int) -> str:
        """Return the present signs, see `Written`."""
        ((signs,),) = await self._administration.fetch(f"SELECT {SIGNS.replace('$2', '$1')}", database)
        return str(signs)

    async def written(self, database: int, since: Position, expected: Collection[int]) -> Written:
        """Return what was written to a database, by its object id.

        Args:
            database: Its object id.
            since: From where.
            expected: Process ids of those who may be connected to it.

        Raises:
            asyncpg.PostgresError: The log does not reach back to there.
        """
        fetch, own = self._administration.fetch, since.own or None
        if self._flushes_at_once:
            rows = await fetch(self._written, since.lsn, database, list(expected), IGNORED_FILES, own)
            moment, written = rows[0], [row for row in rows if row["reldatabase"] is not None]
        else:
            (moment,) = await fetch(self._moment, database, list(expected))
            written = await fetch(_BLOCKS.format(end="$3"), since.lsn, database, moment["lsn"], IGNORED_FILES, own)
        return Written(
            moment["lsn"],
            tuple(moment["pids"]),
            tuple(moment["gids"]),
            {(row["reltablespace"], row["relfilenode"]): row["blocks"] or [] for row in written if row["reldatabase"]},
            any(row["reldatabase"] == 0 for row in written),
            moment["signs"],
        )
