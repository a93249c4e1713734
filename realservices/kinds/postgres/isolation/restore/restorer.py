"""Restores the databases of one process on one server, where the server has what that needs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import asyncpg

from realservices.kinds.postgres.isolation.administration import connect_kwargs
from realservices.kinds.postgres.isolation.restore.catalogs import SchemaChangedError
from realservices.kinds.postgres.isolation.restore.cluster import ClusterState
from realservices.kinds.postgres.isolation.restore.database import RestorableDatabase
from realservices.kinds.postgres.isolation.restore.pristine import Pristine
from realservices.kinds.postgres.isolation.restore.written import WriteAheadLog

if TYPE_CHECKING:
    from collections.abc import Collection

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.postgres.isolation.administration import Administration
    from realservices.kinds.postgres.isolation.restore.cluster import Key, State

_ABLE = """SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_walinspect' AND extversion <> '1.0') AS has_log,
    EXISTS (SELECT FROM pg_database WHERE datname = $1) AS has_pristine,
    current_setting('max_prepared_transactions')::int > 0 AS has_two_phase"""
# ALTER DATABASE … RENAME does the same, and refuses it while somebody is connected: we are.
_RENAME = "UPDATE pg_database SET datname = $2 WHERE datname = $1"
_FAILURES = (SchemaChangedError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Restorer:
    """Knows what each of the process's databases held.

    Args:
        endpoint: The service.
        administration: To its database ``postgres``, as a superuser.
        pristine: Name of the database that nobody writes to.
        is_wanted: Else every database is dropped after its test.
    """

    def __init__(self, endpoint: Endpoint, administration: Administration, pristine: str, *, is_wanted: bool) -> None:
        self._endpoint = endpoint
        self._administration = administration
        self._log: WriteAheadLog | None = None
        self._pristine_name = pristine
        self._pristine = Pristine(connect_kwargs(endpoint, pristine))
        self._is_able: bool | None = None if is_wanted else False
        self._databases: dict[str, RestorableDatabase] = {}
        self._cluster: ClusterState | None = None
        self._taking: asyncio.Task[None] | None = None
        self._asking = asyncio.Lock()
        # Names of databases whose tests may have changed the server; empty: one that is gone.
        self._suspects: list[str] = []

    async def adopt(self, name: str) -> None:
        """Begin with a database that is as the template and that are still unused."""
        if not await self._ask():
            return
        assert self._log is not None
        database = RestorableDatabase(connect_kwargs(self._endpoint, name), self._pristine, self._log)
        await database.begin()
        self._databases[name] = database

    async def know_server(self) -> None:
        """Wait until it is known what the server as a whole was like. Nothing may be committed before that."""
        if await self._ask() and self._taking is not None:
            await asyncio.wait([self._taking])
            if self._taking.exception():  # The server was down, for instance.
                self._take_server()
                await self._taking

    @property
    def may_be_able(self) -> bool:
        """Whether databases are restored here, or that is not known yet: it is since the first one was adopted."""
        return self._is_able is not False

    async def restore(self, name: str, expected: Collection[int], new_name: str, *, is_known: bool) -> str:
        """Restore a database; return its name. Empty: that was not possible, and it can only be dropped.

        Args:
            name: The database's.
            expected: Process ids of backends that may stay connected.
            new_name: Its name from now on, if somebody may still know the old one.
            is_known: Somebody may.
        """
        database = self._databases.get(name)
        if database is None:
            return ""
        try:
            await database.restore(expected)
            # Sessions have settings of roles and databases from when they began, so none stays where these may change.
            if is_known or database.had_others or database.is_server_suspect:
                await self._rename(database, name, new_name)
                name = new_name
        except _FAILURES:
            await self.forget(name)
            self._suspects += [""] if database.is_server_suspect else []
            return ""
        self._suspects += [name] if database.is_server_suspect else []
        return name

    async def restore_server(self, others: set[Key]) -> list[str]:
        """Undo what tests have done to the server as a whole; return what could not be undone, in words.

        No test may be running on the server meanwhile.

        Args:
            others: What other processes have changed on purpose since the last time.
        """
        suspects, self._suspects = self._suspects, []
        left: list[str] = []
        if self._cluster is not None:
            self._cluster.leave(others)
            for name in suspects:
                database = self._databases.get(name)
                left += await self._cluster.restore(database.oid if database else None)
            # Also of those that were made while the server was as a test had it.
            for database in list(self._databases.values()):
                await database.take_signs()
        return left

    async def look_at_server(self) -> State | None:
        """Return what the server as a whole is like, to `accept_changes` from here on."""
        return await self._cluster.look() if self._cluster is not None else None

    async def accept_changes(self, since: State | None) -> set[Key]:
        """Take for given what somebody has changed in the server as a whole; return that. See `ClusterState.accept`."""
        if self._cluster is None or since is None:
            return set()
        changed = await self._cluster.accept(since)
        for database in list(self._databases.values()) if changed else ():
            await database.take_signs()
        return changed

    @property
    def suspects(self) -> tuple[str, ...]:
        """Names of databases whose tests may have changed the server as a whole; empty: one that is gone."""
        return tuple(self._suspects)

    @property
    def is_server_suspect(self) -> bool:
        """Whether `restore_server` has something to look for."""
        return bool(self._suspects)

    async def _rename(self, database: RestorableDatabase, name: str, new_name: str) -> None:
        await self._administration.execute("SET allow_system_table_mods = on")
        await self._administration.fetch(_RENAME, name, new_name)
        database.rename(new_name)
        self._databases[new_name] = self._databases.pop(name)

    async def forget(self, name: str) -> None:
        """Leave a database that is about to be dropped."""
        if database := self._databases.pop(name, None):
            await self._close(database)

    async def close(self) -> None:
        """Disconnect from everywhere."""
        for database in self._databases.values():
            await self._close(database)
        self._databases.clear()
        await self._pristine.close()

    async def _close(self, database: RestorableDatabase) -> None:
        with contextlib.suppress(*_FAILURES):
            await database.close()

    def _take_server(self) -> None:
        assert self._cluster is not None
        self._taking = asyncio.ensure_future(self._cluster.take(self._pristine_name))
        self._taking.add_done_callback(_note_failure)

    async def _ask(self) -> bool:
        """Ask the server, once, whether it has what restoring needs."""
        async with self._asking:
            if self._is_able is None:
                (row,) = await self._administration.fetch(_ABLE, self._pristine_name)
                is_able = self._endpoint.disposable and row["has_log"] and row["has_pristine"]
                if is_able:
                    version = self._endpoint.server_version_num
                    self._log = WriteAheadLog(self._administration, version, has_two_phase=row["has_two_phase"])
                    self._cluster = ClusterState(self._administration)
                    self._take_server()
                self._is_able = is_able
            return self._is_able


def _note_failure(task: asyncio.Task[None]) -> None:
    """Have a failure be that of whoever waits for the task, if anybody does."""
    if not task.cancelled():
        task.exception()
