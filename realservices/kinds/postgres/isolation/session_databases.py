"""The databases of one test session on an external PostgreSQL server.

The session copies the server's own database (TEST_POSTGRES_DB) once, or applies the project's migrations to a fresh
one, and clones that; it never writes to the original. All its databases carry its token in their names, and so do its
administrative connections: databases whose token no connection has any more belong to a session that was killed, and
whoever comes next drops them.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import time
from typing import TYPE_CHECKING

import asyncpg

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.databases import copy_properties
from realservices.kinds.postgres.isolation.administration import Administration, quote_identifier
from realservices.system.locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop

# Clients of the original, a migration's for instance, may be about to leave.
_BUSY_TIMEOUT_S = 10.0
_STARTING_TIMEOUT_S = 30.0
_PAUSE_S = 0.25
# In one statement: the names are read as of its beginning, the connections after it, so a session that begins
# meanwhile is not seen as a dead one. Other roles' connections are invisible, and their databases not ours to drop.
_ABANDONED = """
    SELECT d.datname FROM pg_database d
    WHERE d.datname ~ '^realservices_[0-9a-f]{12}_' AND pg_has_role(d.datdba, 'USAGE') AND NOT EXISTS (
        SELECT FROM pg_stat_activity a WHERE a.application_name = 'realservices_' || split_part(d.datname, '_', 2))
"""
_OURS = "SELECT datname FROM pg_database WHERE datname LIKE '{}%'"
_CLIENTS = """
    SELECT format('%s (pid %s, user %s, from %s)', coalesce(nullif(application_name, ''), 'a client'), pid, usename,
        coalesce(host(client_addr), 'a unix socket'))
    FROM pg_stat_activity WHERE datname = '{}'
"""


class SessionDatabases:
    """What a session has on one server.

    Args:
        endpoint: The service.
        background: For the connection, which lasts as long as this process.
        directory: What all processes of the session share.
        fill: Makes of a fresh database, given by name, what tests get copies of; None: the server's own is copied.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        background: BackgroundLoop,
        directory: str,
        fill: Callable[[str], None] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._fill = fill
        self._background = background
        # Also the mark by which the session's end, in IsolationManager, knows that there is something to remove.
        self._lock = f"{directory}/{endpoint.name}.databases"
        self.owner = f"realservices_{os.path.basename(directory).rpartition('.')[2]}"
        self._administration = Administration(endpoint, self.owner)

    def prepare(self) -> Endpoint:
        """Return the endpoint with a template of the session's own, which the first process makes.

        Raises:
            IsolationError: The server refuses, or the original is in use.
        """
        with FileLock(self._lock):
            template = self._background.run(self._prepare())
        return dataclasses.replace(self._endpoint, template_database=template)

    def remove(self) -> None:
        """Drop all databases of the session, at its end. What cannot be dropped is left to the next session."""
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._background.run(self._drop_all(_OURS.format(f"{self.owner}_")))

    def close(self) -> None:
        """Disconnect this process."""
        self._background.run(self._administration.close(finish=True))

    async def _prepare(self) -> str:
        template = f"{self.owner}_template"
        try:
            await self._connect()
            await self._drop_all(_ABANDONED)
            if template not in await self._names(_OURS.format(f"{self.owner}_")):
                await (self._copy(template) if self._fill is None else self._make(template, self._fill))
            # A client in it would keep everybody from cloning it. Also if it is there: whoever made it may have failed
            # at just this.
            closed = f"ALTER DATABASE {quote_identifier(template)} WITH ALLOW_CONNECTIONS false"
            await self._administration.execute(closed)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise IsolationError(self._explain(error)) from error
        return template

    async def _connect(self) -> None:
        deadline = time.monotonic() + _STARTING_TIMEOUT_S
        while True:
            try:
                await self._administration.execute("SELECT 1")
                return
            except asyncpg.CannotConnectNowError:  # It starts up.
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_PAUSE_S)

    async def _copy(self, template: str) -> None:
        original = str(self._endpoint.database)
        name = quote_identifier(template)
        deadline = time.monotonic() + _BUSY_TIMEOUT_S
        while True:
            try:
                await self._administration.execute(f"CREATE DATABASE {name} TEMPLATE {quote_identifier(original)}")
                await self._administration.execute(copy_properties(original, template))
                break
            except asyncpg.ObjectInUseError as error:
                if time.monotonic() > deadline:
                    raise IsolationError(await self._explain_busy(original)) from error
            await asyncio.sleep(_PAUSE_S)

    async def _make(self, template: str, fill: Callable[[str], None]) -> None:
        name = quote_identifier(template)
        await self._administration.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            await asyncio.to_thread(fill, template)
        except BaseException:
            # Half a schema must not be taken for a whole one by the session's next process.
            await self._administration.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            raise

    async def _drop_all(self, query: str) -> None:
        for name in await self._names(query):
            try:
                await self._administration.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")
            except asyncpg.PostgresError:
                continue  # Another session drops it at the same time.

    async def _names(self, query: str) -> list[str]:
        return [row[0] for row in await self._administration.fetch(query)]

    async def _explain_busy(self, original: str) -> str:
        clients = await self._names(_CLIENTS.format(original.replace("'", "''")))
        shown = "".join(f"\n    {client}" for client in clients) or "\n    (they have left by now)"
        return (
            f"{self._where}: database {original!r} cannot be copied for this session while clients are connected to "
            f"it, and after {_BUSY_TIMEOUT_S:.0f} s there still were:{shown}\n  Let them disconnect (an application, a "
            "psql, a connection pool of a migration), or name a database in TEST_POSTGRES_DB that has no clients"
        )

    def _explain(self, error: Exception) -> str:
        user, database = self._endpoint.user, self._endpoint.database
        said = f"{self._where}: {type(error).__name__}: {error}"
        if isinstance(error, asyncpg.InsufficientPrivilegeError) and "copy" in str(error):
            return (
                f"{said}. Tests get copies of this database, and only its owner or a superuser may copy it. As a "
                f'superuser run: ALTER DATABASE "{database}" WITH IS_TEMPLATE true (anybody with CREATEDB may then '
                f'copy it), or ALTER DATABASE "{database}" OWNER TO "{user}"'
            )
        if isinstance(error, asyncpg.InsufficientPrivilegeError):
            return (
                f"{said}. Tests get databases of their own, so the user of TEST_POSTGRES_USER must be allowed to "
                f'create some. As a superuser run: ALTER ROLE "{user}" CREATEDB'
            )
        if isinstance(error, asyncpg.InvalidCatalogNameError):
            return f"{said}. TEST_POSTGRES_DB names the database that tests get copies of: create it first"
        if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
            return f"{said}. Correct TEST_POSTGRES_USER ({user!r}) and TEST_POSTGRES_PASSWORD"
        return f"{said}. The server of TEST_POSTGRES_HOST must be a PostgreSQL that serves"

    @property
    def _where(self) -> str:
        service = self._endpoint
        return f"PostgreSQL service {service.name!r} ({service.label}) at {service.host}:{service.port}"
