"""Wait until no server is in the middle of something, to know what a test that is over has written.

Servers keep their connections, and may still be busy with what the test has asked them for.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.restore.backends import end_backends

if TYPE_CHECKING:
    import asyncpg

# How long a server may take to end the transactions of a test that is over.
_QUIET_TIMEOUT_S = 5.0
_QUIET_PAUSE_S = 0.002
# How long a statement that has not written anything yet is given to end, in case it is about to.
_STATEMENT_TIMEOUT_S = 0.5

# The snapshot is older than the look at who is active: what began before it, and is not open now, has ended.
# A lock that somebody waits for is an advisory one where no transaction has written: its wait may have no end.
_MOMENT = """SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid,
        count(*) FILTER (WHERE backend_xid IS NOT NULL)
            + (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()) AS open,
        count(*) FILTER (WHERE backend_type = 'client backend' AND state = 'active'
            AND wait_event_type IS DISTINCT FROM 'Lock') AS running
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_OPEN = """SELECT pid, application_name, left(query, 200) AS query FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL"""
_PREPARED = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"


@dataclass(frozen=True, slots=True)
class Moment:
    """What the transactions in a database are up to.

    Attributes:
        xid: Those before this one have ended, unless they are open.
        open: How many are that have written something, or are prepared.
        running: How many statements run.
    """

    xid: int
    open: int
    running: int


async def moment(connection: asyncpg.Connection) -> Moment:
    """Return the present one, in the connection's database."""
    (row,) = await connection.fetch(_MOMENT)
    return Moment(row["xid"], row["open"], row["running"])


async def until_quiet(connection: asyncpg.Connection) -> Moment:
    """Wait until nobody is in the middle of a transaction that has written something; return that moment.

    Raises:
        IsolationError: Somebody did not end it. It has been ended.
    """
    now = await moment(connection)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STATEMENT_TIMEOUT_S):
            while now.running:
                await asyncio.sleep(_QUIET_PAUSE_S)
                now = await moment(connection)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_QUIET_TIMEOUT_S):
            while now.open:
                await asyncio.sleep(_QUIET_PAUSE_S)
                now = await moment(connection)
    if now.open:
        raise await _ended(connection)
    return now


async def _ended(connection: asyncpg.Connection) -> IsolationError:
    """End the transactions that are open; return what to say of them."""
    rows = await connection.fetch(_OPEN)
    shown = [f"process {row['pid']} {row['application_name']!r}: {row['query']}" for row in rows]
    await end_backends(connection, [row["pid"] for row in rows])
    for row in await connection.fetch(_PREPARED):
        shown.append(f"prepared transaction {row['gid']!r}")
        await connection.execute("ROLLBACK PREPARED '" + row["gid"].replace("'", "''") + "'")
    return IsolationError(
        f"a server still has a transaction open {_QUIET_TIMEOUT_S:g} s after the test that caused it: "
        f"{'; '.join(shown)}. It has been ended, and the connection with it, so that the next test finds the database "
        "as it was. Let the server commit or roll back before it answers, or have the test wait for it"
    )
