"""A database that running servers use, restored after each test to what it held when the first one began.

As in a test's own database (database.py) only what changed is undone. But servers keep their connections, have written
before the first test, and may write at any moment: while rows are restored they wait for a lock, and what they commit
after the log was read is found the next time.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.kinds.postgres.databases import PRISTINE_DATABASE, copy_database, copy_properties
from realservices.kinds.postgres.isolation.administration import Administration, connect_kwargs, quote_identifier
from realservices.kinds.postgres.isolation.restore.baseline import Baseline
from realservices.kinds.postgres.isolation.restore.changes import (
    UNLOGGED,
    Changes,
    LogReader,
    changes_by_look,
    sequences_by_look,
    tables_by_look,
)
from realservices.kinds.postgres.isolation.restore.pristine import SETTINGS, Pristine, Relation, relation_of
from realservices.kinds.postgres.isolation.restore.quiet import moment, until_quiet
from realservices.kinds.postgres.isolation.restore.servers_server import ServersServer
from realservices.kinds.postgres.isolation.restore.servers_undo import ServersUndo
from realservices.kinds.postgres.isolation.restore.written import Position, WriteAheadLog, Written
from realservices.kinds.postgres.isolation.schema import explain_change, read_schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from realservices.contract.runtime import Endpoint

# The template's row is the last thing that its build wrote: what is newer was written by programs. Where the server's
# last checkpoint is older than that, its log says all that they wrote.
_SERVER = """SELECT
    EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_walinspect' AND extversion <> '1.0') AS has_log,
    EXISTS (SELECT FROM pg_database WHERE datname = $1) AS has_pristine,
    (SELECT xmin::text::bigint + 1 FROM pg_database WHERE datname = $2) AS since,
    split_part(next_xid, ':', 2)::bigint AS checkpoint, redo_lsn,
    (SELECT oid FROM pg_database WHERE datname = $3) AS oid,
    current_setting('max_prepared_transactions')::int > 0 AS has_two_phase
    FROM pg_control_checkpoint()"""
_OID = "SELECT oid FROM pg_database WHERE datname = current_database()"
_GONE = (
    *(OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError),
    *(asyncpg.InterfaceError, asyncpg.InternalClientError),
)
# So often the log is read again where a server changes the schema at that very moment.
_MOST_READINGS = 100


class ServersDatabase:
    """The database that a service's URL names.

    Args:
        endpoint: The service.
        directory: Where processes take turns on its server; empty: there is one.
    """

    def __init__(self, endpoint: Endpoint, directory: str = "") -> None:
        self._endpoint = endpoint
        self._administration = Administration(endpoint)
        self._server = ServersServer(endpoint, self._administration, directory)
        self._pristine = Pristine(connect_kwargs(endpoint, PRISTINE_DATABASE))
        self._connection: asyncpg.Connection | None = None
        self._log: WriteAheadLog | None = None
        self._oid = 0
        self._position = Position(None, 0)
        self._baseline = Baseline(None, 0)
        self._schema: dict[str, str] = {}
        self._reader = LogReader()
        self._unlogged: list[Relation] = []
        # Their values before the first test: what they say next may not be in the log.
        self._called: list[Relation] = []
        self._undo = ServersUndo(self._baseline)
        self._is_same = False

    async def begin(self) -> None:
        """Remember the present as what is restored.

        Raises:
            IsolationError: Somebody was in the middle of a transaction that writes, and did not end it.
        """
        # Both connect meanwhile: a new connection is most of what this costs.
        await asyncio.gather(self._administration.fetch("SELECT"), self._on_connection(moment))
        await self._on_connection(self._begin)

    async def resume(self) -> None:
        """Begin again if another process has made the database anew since."""
        await self._on_connection(self._resume)

    @property
    def is_cut_off(self) -> bool:
        """Whether its connection was ended, as where the database was made anew."""
        return self._connection is not None and self._connection.is_closed()

    async def _resume(self, connection: asyncpg.Connection) -> None:
        if await connection.fetchval(_OID) != self._oid:
            await self._begin(connection)

    async def restore(self) -> list[str]:
        """Undo what was written since `begin` or the last time; return the tables in which that was.

        Raises:
            IsolationError: Somebody was in the middle of a transaction that writes, and did not end it. It has been
                ended, and what has changed was undone.
            IsolationBrokenError: That cannot be undone in place, as where the schema has changed.
        """
        touched: list[str] = await self._on_connection(self._restore)
        return touched

    async def replace(self) -> None:
        """Make the database anew from its template; servers find their connections ended and connect again."""
        if self._connection is not None:
            self._connection.terminate()
        name, template = str(self._endpoint.database), self._endpoint.template_database
        await self._administration.execute(f"DROP DATABASE {quote_identifier(name)} WITH (FORCE)")
        await self._server.restore_without_database()
        await self._administration.execute(
            # So that rows lie where the pristine copy has them.
            copy_database(template, name, self._endpoint.server_version_num)
        )
        await self._administration.execute(copy_properties(template, name))
        await self.begin()

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.terminate()
        self._server.close()
        await self._pristine.close()
        await self._administration.close(finish=False)

    async def _on_connection(self, work: Callable[[asyncpg.Connection], Awaitable[Any]]) -> Any:
        if self._connection is not None and not self._connection.is_closed():
            try:
                return await work(self._connection)
            except _GONE:
                self._connection.terminate()  # The server was restarted since; once more over a new connection.
        arguments = connect_kwargs(self._endpoint, str(self._endpoint.database))
        self._is_same = False
        self._connection = await asyncpg.connect(**arguments, server_settings=SETTINGS)
        return await work(self._connection)

    async def _begin(self, connection: asyncpg.Connection) -> None:
        names = PRISTINE_DATABASE, self._endpoint.template_database, str(self._endpoint.database)
        (server,) = await self._administration.fetch(_SERVER, *names)
        self._oid = server["oid"]
        if server["has_log"]:
            version = self._endpoint.server_version_num
            self._log = WriteAheadLog(self._administration, version, has_two_phase=server["has_two_phase"])
        since = server["since"] or 0
        pristine = self._pristine if server["has_pristine"] else None
        self._baseline = Baseline(pristine, since)
        self._undo = ServersUndo(self._baseline)
        self._reader = LogReader()
        # Side by side: what is asked for first in a connection takes long.
        await asyncio.gather(
            *[self._server.begin(self._log, self._oid)] if self._log is not None else [],
            *[pristine.fetch("SELECT")] if pristine is not None else [],
            until_quiet(connection),
        )
        # Before the moment that is remembered: what is written meanwhile is looked at twice, and not lost.
        lsn = (await self._log.position()).lsn if self._log else None
        while True:
            now = await until_quiet(connection)
            async with connection.transaction(isolation="repeatable_read"):
                now = await moment(connection)
                if not now.open:
                    start = Position(server["redo_lsn"], since)
                    is_complete = pristine is not None and server["checkpoint"] <= since
                    await self._remember(connection, start, is_complete=is_complete)
                    break
        self._position = Position(lsn, now.xid)

    async def _remember(self, connection: asyncpg.Connection, start: Position, *, is_complete: bool) -> None:
        written = await self._log.written(self._oid, start, ()) if self._log and is_complete else None
        if written is not None:
            changes = await self._reader.changes(connection, written, start)
        else:
            changes = await changes_by_look(connection, self._baseline, start)
        self._unlogged = [relation_of(row) for row in await connection.fetch(UNLOGGED)]
        relations = {each: list[int]() for each in (*changes.renewed, *changes.sequences, *changes.views)}
        for relation in (*self._unlogged, *changes.whole):
            relations[relation] = list(range(relation.blocks))
        relations |= changes.blocks
        await self._baseline.take(connection, relations, is_altered=changes.are_catalogs)
        self._called = [relation for relation in relations if relation.kind == "S"]
        self._schema = await read_schema(connection) if changes.are_catalogs else {}

    async def _restore(self, connection: asyncpg.Connection) -> list[str]:
        if not self._is_same and await connection.fetchval(_OID) != self._oid:
            await self.replace()  # Another process has, and not known to us in time.
            return []
        self._is_same = True
        stuck: IsolationError | None = None
        try:
            now = await until_quiet(connection)
        except IsolationError as error:
            stuck, now = error, await moment(connection)  # The next test is not to blame.
        lsn, changes = await self._changes(connection)
        own = await self._undo.run(connection, changes, self._position)
        self._position = Position(lsn, now.xid, own)
        await self._server.restore()
        if stuck is not None:
            raise stuck
        return [table.name for table in changes.tables]

    async def _changes(self, connection: asyncpg.Connection) -> tuple[Any, Changes]:
        """Return how far the log was read, and what has changed."""
        for _ in range(_MOST_READINGS):
            if (written := await self._written()) is None:
                return await self._changes_without_log(connection)
            changes = await self._reader.changes(connection, written, self._position)
            if not changes.are_catalogs or not (await moment(connection)).open:
                break
            await until_quiet(connection)  # What it has written to catalogs cannot be seen before its end.
        assert written is not None
        self._server.look(written)
        if changes.are_catalogs:
            await self._check_schema(connection)
        for sequence in await sequences_by_look(connection, self._baseline, self._called):
            changes.add_whole(sequence)
        for table in await tables_by_look(connection, self._baseline, self._unlogged, self._position):
            changes.add_whole(table)
        return written.lsn, await self._complete(changes)

    async def _changes_without_log(self, connection: asyncpg.Connection) -> tuple[Any, Changes]:
        await self._check_schema(connection)
        lsn = (await self._log.position()).lsn if self._log else None
        return lsn, await self._complete(await changes_by_look(connection, self._baseline, self._position))

    async def _written(self) -> Written | None:
        """Return what the log says; None where it does not reach back."""
        if self._log is None:
            return None
        try:
            return await self._log.written(self._oid, self._position, ())
        except _GONE:
            raise
        except asyncpg.PostgresError:
            return None

    async def _complete(self, changes: Changes) -> Changes:
        """Add the relations that have got another file, with all that they hold."""
        for relation in changes.renewed:
            if relation.file != await self._undo.file(relation):
                changes.add_whole(relation)
        return changes

    async def _check_schema(self, connection: asyncpg.Connection) -> None:
        """Have it be what it was.

        Raises:
            IsolationBrokenError: It is not.
        """
        if not self._schema:
            self._schema = await read_schema(self._pristine)
        schema = await read_schema(connection)
        if schema != self._schema:
            raise IsolationBrokenError(explain_change(self._schema, schema))
