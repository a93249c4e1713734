"""PostgreSQL, isolated: a rolled-back transaction per test, or a database per test.

Every process (each xdist worker is one) clones the template once and runs its transactions in that clone; the
template itself stays pristine, and the database of DATABASE_URL is left to programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.isolation.blocking import Blocking
from realservices.isolation.errors import IsolationBrokenError, IsolationError, ended, one_at_a_time
from realservices.isolation.service_isolation import Finding, ServiceIsolation
from realservices.kinds.postgres.databases import PRISTINE_DATABASE
from realservices.kinds.postgres.isolation.administration import connect_kwargs
from realservices.kinds.postgres.isolation.clone_pool import ClonePool
from realservices.kinds.postgres.isolation.clone_use import CloneUse
from realservices.kinds.postgres.isolation.cloned_database import ClonedDatabase
from realservices.kinds.postgres.isolation.connection import IsolatedConnection
from realservices.kinds.postgres.isolation.drivers.leases import Leases
from realservices.kinds.postgres.isolation.held import HeldTransaction
from realservices.kinds.postgres.isolation.kept_connections import KeptConnections
from realservices.kinds.postgres.isolation.restore.pristine import RESTORER
from realservices.kinds.postgres.isolation.traits import COMMITS_ALWAYS, TOLD, told_traits, traits_of
from realservices.kinds.postgres.traits_query import traits_query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.ready_databases import ReadyDatabases
    from realservices.kinds.postgres.isolation.clone import Clone
    from realservices.kinds.postgres.isolation.kept_connections import PooledConnection
    from realservices.kinds.postgres.isolation.lock_waits import LockWait
    from realservices.kinds.postgres.isolation.session_databases import SessionDatabases
    from realservices.kinds.postgres.isolation.share import SharedDatabase
    from realservices.kinds.postgres.isolation.traits import Traits

# Far above what rolling back takes; a test that left its connection in a state that cannot end must not hang the rest.
_END_TIMEOUT_S = 10.0
_CLONE_TIMEOUT_S = 60.0
# For each loop: one to the database of transactions, and one to another.
_KEPT = 2
# Backends that have ended a moment ago are still seen; more cannot have.
_REMEMBERED = 7
# How asyncpg says that the server has ended the connection.
_GONE = (OSError, asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError)


class PostgresIsolation(ServiceIsolation):
    """What one process uses of one PostgreSQL service.

    Attributes:
        endpoint: The service.

    Args:
        endpoint: The service.
        background: For clones and blocking connections.
        ready: Clones that are there already.
        clones: Where its databases come from; by default a pool of its own.
        pristine: Name of the database that those of tests are restored from.
        others: What the session has on an external server.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        background: BackgroundLoop,
        ready: ReadyDatabases,
        clones: ClonePool | None = None,
        pristine: str = PRISTINE_DATABASE,
        others: SessionDatabases | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._background = background
        self._directory = ready.directory
        self._clones = clones or ClonePool(endpoint, background, ready, others.owner if others else "", pristine)
        # The database in which transactions are rolled back, from test to test.
        self._base: CloneUse | None = None
        self._is_taken = False
        self._kept = KeptConnections(IsolatedConnection, _KEPT, {"plan_cache_mode": "force_custom_plan"})
        self._traits: Traits | None = None
        self._commits_always: bool | None = None  # By its sessions' settings.
        self._others = others
        self._shares: list[SharedDatabase] = []
        self._clones.kept_backends.append(self._kept.pids)

    def expect(self, *, transactions: bool, databases: int) -> None:
        """Prepare for tests to come: the database for transactions, and ``databases`` clones."""
        if databases or transactions:
            self._clones.expect(databases + transactions)

    @contextlib.asynccontextmanager
    async def transaction(self, *, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection within a transaction that is rolled back, unless something needs a COMMIT.

        Args:
            keep: The running loop serves later tests too, so the connection is worth keeping.

        Raises:
            IsolationError: Another test of this process has its transaction open.
        """
        if self._is_taken:
            raise IsolationError(one_at_a_time("transaction", self.endpoint))
        self._is_taken = True
        try:
            if self._clones.is_restoring:
                await asyncio.wrap_future(self._clones.restored())
            use, self._base = self._base, None
            if use is None:
                use = CloneUse(self._clones, await asyncio.wrap_future(self._clones.reserve()))
            async with self._connection(use, keep=keep, commits=False) as connection:
                yield connection
        finally:
            self._is_taken = False

    @contextlib.asynccontextmanager
    async def connection_to_clone(self, *, keep: bool = False) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection to a database of its own, in which it commits from the start.

        Args:
            keep: The running loop serves later tests too, so the connection is worth keeping.
        """
        clone = await asyncio.wrap_future(self._clones.take())
        use = CloneUse(self._clones, clone, is_in_use=True)
        async with self._connection(use, keep=keep, commits=True) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def connection_to_service(self) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection to the database that programs have by the service's URL; `server_state` puts it back."""
        connection = await asyncpg.connect(**connect_kwargs(self.endpoint, str(self.endpoint.database)))
        try:
            yield connection
        finally:
            connection.terminate()

    @contextlib.contextmanager
    def blocking(self, *, isolation: str) -> Iterator[Any]:
        """Give a blocking connection: within a transaction, or (``isolation`` is ``database``) to a clone."""
        lease = self.connection_to_clone(keep=True) if isolation == "database" else self.transaction(keep=True)
        connection = Blocking(self._background.run(lease.__aenter__()), self._background)
        try:
            yield connection
        finally:
            connection.end("this isolated_database_sync")
            self._background.run(lease.__aexit__(None, None, None))

    @contextlib.contextmanager
    def cloned_database(self, test: str = "") -> Iterator[ClonedDatabase]:
        """Give a database of its own; ``test``: whose, where pytest does not know."""
        clone = self._clones.take_now()
        database = ClonedDatabase(clone, self._background)
        try:
            yield database
        finally:
            database.end(ended("this cloned_database"))
            self._clones.give_back(clone, is_known=database.is_known, test=test)

    @functools.cached_property
    def leases(self) -> Leases:
        """Databases of tests with several clients."""
        return Leases(self._clones, self._background)

    def findings(self) -> list[Finding]:
        """Return what tests have left that could not be undone, each once."""
        return self._clones.findings()

    @contextlib.contextmanager
    def changes_on_purpose(self) -> Iterator[None]:
        """Take for given what is changed meanwhile in the server as a whole, see `ClonePool.changes_on_purpose`."""
        with contextlib.ExitStack() as stack:
            if self._clones.may_restore:
                stack.enter_context(self._clones.changes_on_purpose())
            for share in self._shares:
                stack.enter_context(share.changes_on_purpose())
            yield

    def lock_waits(self) -> list[LockWait]:
        """Return the waits for locks that were ended, each once."""
        shared = [share.lock_waits() for share in self._shares]
        return [*self._clones.lock_waits.taken(), *(wait for waits in shared for wait in waits)]

    def share(self, scope: str) -> SharedDatabase:
        """Return a database that several tests start from. Close it after them."""
        from realservices.kinds.postgres.isolation.share import SharedDatabase  # noqa: PLC0415 - it needs this module

        clone = self._clones.make().result(_CLONE_TIMEOUT_S)
        share = SharedDatabase(clone, scope, self._background, self._directory)
        self._shares.append(share)
        return share

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends."""
        for share in self._shares:
            await share.close_loop()
        if "leases" in self.__dict__:
            await self.leases.close_loop()
        self._kept.close_loop()

    def close(self, *, drop: bool) -> None:
        """End the process's use of the service; ``drop``: remove every clone, because the server goes on."""
        self._background.run(self.close_loop(), _END_TIMEOUT_S)
        if "leases" in self.__dict__:
            self.leases.close()
        if drop and self._base is not None:
            self._clones.drop(self._base.clone).result(_CLONE_TIMEOUT_S)
        self._clones.close(drop=drop, timeout_s=_CLONE_TIMEOUT_S)
        if self._others:
            self._others.close()

    @contextlib.asynccontextmanager
    async def _connection(self, use: CloneUse, *, keep: bool, commits: bool) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection to a database, and give the database back, or keep it for the next transaction."""
        stays = False
        try:
            pooled = await self._begin(use, commits=commits)
            try:
                yield pooled.proxy
            finally:
                try:
                    stays = await self._end(use, pooled) and keep and (self._clones.may_restore or not use.is_in_use)
                    use.own = [*use.own[-_REMEMBERED:], pooled.pid]
                    if stays:
                        await self._kept.release(pooled)
                finally:
                    if not stays:
                        self._kept.discard(pooled)
        finally:
            self._release(use, stays=stays, commits=commits)

    async def _begin(self, use: CloneUse, *, commits: bool) -> PooledConnection[IsolatedConnection]:
        """Return a connection on which the test has begun."""
        while True:
            reading = None if self._traits else self._background.submit(self._read_traits(use))
            pooled = await self._connect(use)
            try:
                if reading is not None:
                    self._traits = await asyncio.wrap_future(reading)
                assert self._traits is not None
                held = None
                if commits or await self._must_commit(pooled.connection):
                    await use.begin()
                elif await use.close([pooled.pid, *use.own]):
                    held = HeldTransaction(self._traits, follows_clock=self._clones.may_restore)
                else:
                    await use.replace()  # Somebody who knows its name is there.
                    self._kept.discard(pooled)
                    continue
                await pooled.connection.begin_test(self._traits, held, use.begin)
            except BaseException:
                self._kept.discard(pooled)
                raise
            return pooled

    async def _read_traits(self, use: CloneUse) -> Traits:
        """Return a database's traits, in the background, while the test's connection is made."""
        if self.endpoint.disposable:
            (row,) = await self._clones.administration.fetch(TOLD)
            if told := told_traits(row["told"], row["next"]):
                return told
        await use.open()
        return await _asked_traits(use.clone)

    async def _must_commit(self, connection: IsolatedConnection) -> bool:
        """Return whether sessions have settings under which no transaction can be held around a test."""
        if self._commits_always is None:
            # By the simple protocol, of which no prepared statement is left for the tests to see.
            self._commits_always = await connection.raw.query(COMMITS_ALWAYS, None) == "SELECT 1"
        return self._commits_always

    async def _connect(self, use: CloneUse) -> PooledConnection[IsolatedConnection]:
        pooled = await self._kept.take(use.clone)
        if pooled is None:
            await use.open()
            pooled = await self._kept.connect(use.clone)
        return pooled

    async def _end(self, use: CloneUse, pooled: PooledConnection[IsolatedConnection]) -> bool:
        """End the test on its connection; return whether that is as good as a new one."""
        connection = pooled.connection
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                return await connection.end_test()
        except TimeoutError:  # Before _GONE: it is an OSError too.
            reason = f"could not be rolled back within {_END_TIMEOUT_S:.0f} s"
        except _GONE:
            return False  # The server has ended the connection, and the transaction with it.
        except IsolationBrokenError:
            await use.spoil()
            raise
        except asyncpg.InterfaceError as error:
            reason = f"was still in use when its test ended ({error}): await or cancel what uses it"
        await use.spoil()
        raise IsolationError(f"isolated_database {reason}. Its connection has been closed; later tests get another")

    def _release(self, use: CloneUse, *, stays: bool, commits: bool) -> None:
        if use.is_in_use:
            if not commits:
                self._clones.expect(1)
            self._clones.give_back(use.clone, kept=use.own, is_known=use.is_spoilt, closes=stays and not commits)
        elif use.is_spoilt:  # The server did not let it be used, to be restored.
            self._clones.drop(use.clone)
        else:
            self._base = use
            if not stays:
                self._clones.open(use.clone)  # Behind the test: the next one connects.


async def _asked_traits(clone: Clone) -> Traits:
    """Ask a database for its traits over a connection that is ours, and gone before anybody looks who is there."""
    connection = await asyncpg.connect(**clone.connect_kwargs, server_settings={"application_name": RESTORER})
    try:
        return traits_of(await connection.fetchval(traits_query(clone.endpoint.server_version_num)))
    finally:
        connection.terminate()
        await asyncio.sleep(0)  # Now the loop closes it.
