"""A database that several tests start from: filled once, by a fixture of a class, a module or the session.

What is committed to it is there at the beginning of each test that uses it, in both ways of isolation; what a test
writes is undone after it. Once the first test has begun it is closed: what was added later would be there for some
tests and not for others.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.isolation.errors import IsolationError, ended
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.postgres.databases import copy_database, copy_properties
from realservices.kinds.postgres.isolation.administration import Administration, quote_identifier
from realservices.kinds.postgres.isolation.cloned_database import ClonedDatabase
from realservices.kinds.postgres.isolation.isolation import PostgresIsolation
from realservices.kinds.postgres.isolation.lazy_connection import LazyConnection

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.kinds.postgres.isolation.clone import Clone
    from realservices.kinds.postgres.isolation.lock_waits import LockWait

_TIMEOUT_S = 60.0
# Nobody may be in what is copied.
_EMPTY = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1"
_CLOSE = "ALTER DATABASE {} WITH ALLOW_CONNECTIONS false"


class _FillingConnection(LazyConnection):
    """Refuses statements once the database is closed."""

    def __init__(self, database: ClonedDatabase) -> None:
        super().__init__(database.connect)
        self._database = database

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            self._database.check_open()
        return super().__getattr__(name)


class SharedDatabase:
    """One such database.

    Attributes:
        endpoint: The service.
        database: What fixtures fill it by: connections, a URL.
        connection: The same, as one asyncpg connection that is made where it is first used.

    Args:
        clone: The database itself, as the wider ones have it.
        scope: Whose it is, for messages: ``class``, ``module`` or ``session``.
        background: Where databases are made.
        directory: What all processes of the session share.
    """

    def __init__(self, clone: Clone, scope: str, background: BackgroundLoop, directory: str) -> None:
        self.endpoint: Endpoint = clone.endpoint
        self.database = ClonedDatabase(clone, background)
        self.connection = _FillingConnection(self.database)
        self._clone = clone
        self._scope = scope
        self._background = background
        self._directory = directory
        self._administration = Administration(clone.endpoint)
        self._isolation: PostgresIsolation | None = None

    def isolation(self) -> PostgresIsolation:
        """Return what tests get their own of. With the first call the database is closed.

        Raises:
            IsolationError: It cannot be copied.
        """
        if self._isolation is None:
            self.database.end(self._closed())
            self._background.run(self._seal(), _TIMEOUT_S)
            endpoint = dataclasses.replace(self.endpoint, template_database=self._clone.name, ready_databases=())
            ready = ReadyDatabases(endpoint, self._directory)
            self._isolation = PostgresIsolation(endpoint, self._background, ready, pristine=self._pristine)
        return self._isolation

    def changes_on_purpose(self) -> AbstractContextManager[None]:
        """See `ClonePool.changes_on_purpose`."""
        return self._isolation.changes_on_purpose() if self._isolation else contextlib.nullcontext()

    def lock_waits(self) -> list[LockWait]:
        """Return the waits for locks that were ended in tests' databases, each once."""
        return self._isolation.lock_waits() if self._isolation is not None else []

    async def close_loop(self) -> None:
        """Close what tests have left to the running loop, before that ends."""
        if self._isolation is not None:
            await self._isolation.close_loop()

    def close(self) -> None:
        """Remove it, with all that was made from it."""
        self.database.end(ended(f"this cloned_database_{self._scope}", self._scope))
        if self._isolation is not None:
            self._isolation.close(drop=True)
        self._background.run(self._drop(), _TIMEOUT_S)

    @property
    def _pristine(self) -> str:
        return f"{self._clone.name}_pristine"

    def _closed(self) -> IsolationError:
        return IsolationError(
            f"the database of this {self._scope} (isolated_database_{self._scope}, cloned_database_{self._scope}) is "
            "closed: tests have begun to start from what was in it. Fill it in a fixture of scope "
            f"{self._scope!r} that each of these tests uses; a test connects to its own, by cloned_database. A fixture "
            "with params fills that one, for each test, because this one is filled once"
        )

    async def _seal(self) -> None:
        try:
            await self._administration.execute(_CLOSE.format(quote_identifier(self._clone.name)))
            await self._administration.fetch(_EMPTY, self._clone.name)
            copy = copy_database(self._clone.name, self._pristine, self.endpoint.server_version_num)
            await self._administration.execute(copy)
            await self._administration.execute(copy_properties(self._clone.name, self._pristine))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            service = self.endpoint
            raise IsolationError(
                f"the database of isolated_database_{self._scope} on service {service.name!r} ({service.label}) cannot "
                f"be copied for its tests: {type(error).__name__}: {error}"
            ) from error

    async def _drop(self) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            for name in (self._clone.name, self._pristine):
                await self._administration.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")
        await self._administration.close(finish=True)
