"""What a database held before the tests, and the way back to it.

For databases that running servers write to: a transaction cannot be rolled back around somebody else's commits, and a
server's connections must not be cut off between two tests. So rows and sequences are put back in place, and only in
the tables that were touched: their number of rows or the newest of their row versions (xmin) has changed
(https://www.postgresql.org/docs/current/ddl-system-columns.html).

Not put back: large objects, the content of materialized views, and the schema, whose change is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.isolation.postgres.schema import OWN, explain_change, read_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

# How long a server may take to end the transactions of a test that is over.
_QUIET_TIMEOUT_S = 5.0
_QUIET_PAUSE_S = 0.002
# How long a statement that has not written anything yet is given to end, in case it is about to.
_STATEMENT_TIMEOUT_S = 0.5

_TABLES = f"""SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {OWN} ORDER BY 3"""
_SEQUENCES = "SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences"
# Triggers and rules that fire in spite of session_replication_role = replica.
_FIRING = """WITH firing AS (
        SELECT tgrelid AS relation, format('TRIGGER %I', tgname) AS what, tgenabled AS mode
        FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT ev_class, format('RULE %I', rulename), ev_enabled FROM pg_rewrite)
    SELECT format('ALTER TABLE ONLY %s DISABLE %s', relation::regclass, what) AS off,
        format('ALTER TABLE ONLY %s ENABLE %s %s', relation::regclass,
            CASE mode WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END, what) AS on
    FROM firing WHERE mode IN ('A', 'R') AND relation = ANY ($1::text[]::regclass[])"""
_OPEN = """SELECT pid, application_name, left(query, 200) AS query FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL"""
# A lock that somebody waits for is an advisory one where no transaction has written: its wait may have no end.
_RUNNING = """SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Lock' LIMIT 1"""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table as it was: its version (rows, newest row version) is what tells whether it was touched."""

    schema: str
    name: str
    quoted: str
    rows: bytes


class DatabaseSnapshot:
    """One database as it was when `take` was called. All methods want the same superuser's connection to it."""

    def __init__(self) -> None:
        self._tables: dict[str, _Table] = {}
        self._versions: dict[str, tuple[int, int]] = {}
        self._sequences: dict[str, tuple[int, bool]] = {}
        self._schema: dict[str, str] = {}

    async def take(self, connection: asyncpg.Connection) -> None:
        """Remember the rows of every table, the sequences and the schema."""
        await _quiet(connection)
        async with connection.transaction(isolation="repeatable_read"):  # Tables as of one moment.
            await self._take(connection)

    async def _take(self, connection: asyncpg.Connection) -> None:
        tables = await connection.fetch(_TABLES)
        self._versions = await _versions(connection, [table["name"] for table in tables])
        for table in tables:
            rows = await _rows(connection, table) if self._versions[table["name"]][0] else b""
            self._tables[table["name"]] = _Table(table["nspname"], table["relname"], table["name"], rows)
        self._sequences = await _sequences(connection)
        self._schema = await read_schema(connection)

    async def restore(self, connection: asyncpg.Connection) -> list[str]:
        """Put back what has changed since; return the tables that were touched.

        Raises:
            IsolationError: Somebody was in the middle of a transaction that writes, and did not end it. It has been
                ended, and what has changed was put back.
            IsolationBrokenError: The schema has changed.
        """
        try:
            await _quiet(connection)
        except IsolationError:
            await self._put_back(connection)  # The next test is not to blame.
            raise
        return await self._put_back(connection)

    async def _put_back(self, connection: asyncpg.Connection) -> list[str]:
        schema = await read_schema(connection)
        if schema != self._schema:
            raise IsolationBrokenError(explain_change(self._schema, schema))
        versions = await _versions(connection, list(self._tables))
        touched = [name for name, version in versions.items() if version != self._versions[name]]
        sequences = await _sequences(connection)
        advanced = {name: value for name, value in self._sequences.items() if sequences.get(name) != value}
        if touched or advanced:
            async with connection.transaction():
                # Neither triggers nor foreign keys: what was there before was consistent.
                await connection.execute("SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '5s'")
                if touched:
                    await self._replace_rows(connection, touched)
                for name, (value, is_called) in advanced.items():
                    await connection.execute("SELECT setval($1::regclass, $2, $3)", name, value, is_called)
        return touched

    async def _replace_rows(self, connection: asyncpg.Connection, touched: list[str]) -> None:
        # Whoever writes meanwhile waits: else its rows would count as what was there before.
        await connection.execute(f"LOCK TABLE ONLY {', ONLY '.join(touched)} IN SHARE ROW EXCLUSIVE MODE")
        firing = await connection.fetch(_FIRING, touched)
        for row in firing:
            await connection.execute(row["off"])
        for name in touched:
            await connection.execute(f"DELETE FROM ONLY {name}")
            await _copy_back(connection, self._tables[name])
        for row in firing:
            await connection.execute(row["on"])
        self._versions |= await _versions(connection, touched)


async def _quiet(connection: asyncpg.Connection) -> None:
    """Wait until nobody is in the middle of a transaction that has written something."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STATEMENT_TIMEOUT_S):
            while await connection.fetchrow(_RUNNING) is not None:
                await asyncio.sleep(_QUIET_PAUSE_S)
    try:
        async with asyncio.timeout(_QUIET_TIMEOUT_S):
            while await connection.fetchrow(_OPEN):
                await asyncio.sleep(_QUIET_PAUSE_S)
    except TimeoutError:
        rows = await connection.fetch(_OPEN)
        shown = "; ".join(f"process {row['pid']} {row['application_name']!r}: {row['query']}" for row in rows)
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM unnest($1::int[]) AS pid"
        await connection.execute(ended, [row["pid"] for row in rows])
        raise IsolationError(
            f"a server still has a transaction open {_QUIET_TIMEOUT_S:g} s after the test that caused it: {shown}. "
            "Its connection has been ended, so that the next test finds the database as it was. Let the server commit "
            "or roll back before it answers, or have the test wait for it"
        ) from None


async def _versions(connection: asyncpg.Connection, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return the number of rows and the newest row version of tables, given by quoted names."""
    if not names:
        return {}
    parts = (
        f"SELECT {number} AS number, count(*) AS rows, coalesce(max(xmin::text::bigint), 0) AS newest FROM ONLY {name}"
        for number, name in enumerate(names)
    )
    found = await connection.fetch(" UNION ALL ".join(parts))
    return {names[row["number"]]: (row["rows"], row["newest"]) for row in found}


async def _rows(connection: asyncpg.Connection, table: Any) -> bytes:
    content = io.BytesIO()
    await connection.copy_from_table(table["relname"], schema_name=table["nspname"], output=content, format="binary")
    return content.getvalue()


async def _copy_back(connection: asyncpg.Connection, table: _Table) -> None:
    if table.rows:
        await connection.copy_to_table(
            table.name, schema_name=table.schema, source=io.BytesIO(table.rows), format="binary"
        )


async def _sequences(connection: asyncpg.Connection) -> dict[str, tuple[int, bool]]:
    names = [row["name"] for row in await connection.fetch(_SEQUENCES)]
    if not names:
        return {}
    # From themselves: the view pg_sequences has no value for one that was set but not called.
    parts = (f"SELECT {number} AS number, last_value, is_called FROM {name}" for number, name in enumerate(names))
    found = await connection.fetch(" UNION ALL ".join(parts))
    return {names[row["number"]]: (row["last_value"], row["is_called"]) for row in found}
