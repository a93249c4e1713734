"""The databases of tests that speak with theirs by several clients, or by other drivers than asyncpg."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

from realservices.isolation.blocking import Blocking
from realservices.kinds.postgres.isolation.drivers.asyncpg_connections import AsyncpgConnections
from realservices.kinds.postgres.isolation.drivers.lease import DatabaseLease, IdleSessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import asyncpg

    from realservices.isolation.background import BackgroundLoop
    from realservices.kinds.postgres.isolation.clone import Clone
    from realservices.kinds.postgres.isolation.clone_pool import ClonePool
    from realservices.kinds.postgres.isolation.drivers.engines import Engines


class Leases:
    """Those of one process on one service.

    Args:
        clones: Where databases come from.
        background: Where blocking connections of asyncpg live.
    """

    def __init__(self, clones: ClonePool, background: BackgroundLoop) -> None:
        self._clones = clones
        self._background = background
        self._sessions = IdleSessions()
        self._kept = AsyncpgConnections()
        clones.on_gone = self._sessions.drop
        clones.kept_backends += [self._sessions.pids, self._kept.pids]

    @contextlib.contextmanager
    def lease(self) -> Iterator[DatabaseLease]:
        """Give a database of a test's own, restored after it."""
        clone = self._clones.take_now()
        lease = DatabaseLease(clone, self._sessions, keeps=self._clones.may_restore)
        try:
            yield lease
        finally:
            self._clones.give_back(clone, is_known=lease.is_known)

    def lease_of(self, clone: Clone) -> DatabaseLease:
        """Return a database that is not only the test's."""
        return DatabaseLease(clone, self._sessions, keeps=False)

    @functools.cached_property
    def engines(self) -> Engines:
        """Engines of SQLAlchemy's on such databases."""
        from realservices.kinds.postgres.isolation.drivers.engines import Engines  # noqa: PLC0415 - for its users

        engines = Engines()
        self._clones.kept_backends.append(engines.pids)
        return engines

    @contextlib.asynccontextmanager
    async def asyncpg(self, lease: DatabaseLease, *, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection of asyncpg to a test's database.

        Args:
            lease: The database.
            keep: The running loop serves later tests too, so the connection is worth keeping.
        """
        async with self._kept.connection(lease, keep=keep) as connection:
            yield connection

    @contextlib.contextmanager
    def asyncpg_blocking(self, lease: DatabaseLease) -> Iterator[Any]:
        """Give a blocking connection of asyncpg to a test's database."""
        context = self.asyncpg(lease, keep=True)
        connection = Blocking(self._background.run(context.__aenter__()), self._background)
        try:
            yield connection
        finally:
            connection.end("this isolated_database_sync")
            self._background.run(context.__aexit__(None, None, None))

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends."""
        self._kept.close_loop()
        if "engines" in self.__dict__:
            await self.engines.close_loop()

    def close(self) -> None:
        """Close everything, also what loops have that do not end yet."""
        self._sessions.close()
        self._kept.abandon()
        if "engines" in self.__dict__:
            self.engines.abandon()
