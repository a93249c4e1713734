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

from realservices.contract.postgres_databases import PRISTINE_DATABASE
from realservices.isolation.blocking import Blocking
from realservices.isolation.errors import IsolationBrokenError, IsolationError, one_at_a_time
from realservices.isolation.postgres.administration import connect_kwargs
from realservices.isolation.postgres.cloned_database import ClonedDatabase
from realservices.isolation.postgres.clones import ClonePool
from realservices.isolation.postgres.connection import IsolatedConnection
from realservices.isolation.postgres.drivers.leases import Leases
from realservices.isolation.postgres.kept_connection import POOL_OF_ONE, KeptConnections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from concurrent.futures import Future

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.postgres.clones import Clone, Finding
    from realservices.isolation.postgres.share import SharedDatabase
    from realservices.isolation.ready_databases import ReadyDatabases

# Far above what rolling back takes; a test that left its connection in a state that cannot end must not hang the rest.
_END_TIMEOUT_S = 10.0
_CLONE_TIMEOUT_S = 60.0
# How asyncpg says that the server has ended the connection.
_GONE = (OSError, asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError)


class PostgresIsolation:
    """What one process uses of one PostgreSQL service.

    Attributes:
        endpoint: The service.

    Args:
        endpoint: The service.
        background: For clones and blocking connections.
        ready: Clones that are there already.
        owner: What begins the clones' names, see `ClonePool`.
        clones: Where its databases come from; by default a pool of its own.
        pristine: Name of the database that those of tests are restored from.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        background: BackgroundLoop,
        ready: ReadyDatabases,
        owner: str = "",
        clones: ClonePool | None = None,
        pristine: str = PRISTINE_DATABASE,
    ) -> None:
        self.endpoint = endpoint
        self._background = background
        self._directory = ready.directory
        self._clones = clones or ClonePool(endpoint, background, ready, owner, pristine)
        self._base: Future[Clone] | None = None
        self._is_taken = False
        # One pool per loop, with the database it was made for.
        self._pools: dict[asyncio.AbstractEventLoop, tuple[Clone, asyncpg.Pool]] = {}
        self._kept = KeptConnections()
        self._shares: list[SharedDatabase] = []

    def expect(self, *, transactions: bool, databases: int) -> None:
        """Prepare for tests to come: the database for transactions, and ``databases`` clones."""
        if transactions:
            self._base_clone()
        if databases:
            self._clones.expect(databases)

    @contextlib.asynccontextmanager
    async def transaction(self, *, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection within a transaction that is rolled back.

        Args:
            keep: The running loop serves later tests too, so the connection is worth keeping.

        Raises:
            IsolationError: Another test of this process has its transaction open.
        """
        if self._is_taken:
            raise IsolationError(one_at_a_time("transaction", self.endpoint))
        self._is_taken = True
        try:
            async with self._transaction(keep=keep) as connection:
                yield connection
        finally:
            self._is_taken = False

    @contextlib.asynccontextmanager
    async def _transaction(self, *, keep: bool) -> AsyncIterator[asyncpg.Connection]:
        # A pool of one renews a connection that died or was closed, and its proxies end with their test: code that
        # keeps one beyond it gets an error instead of the next test's transaction.
        pool = await self._pool()
        proxy, connection = await _begin(pool)
        try:
            yield proxy
        finally:
            try:
                await self._end(connection)
                await pool.release(proxy)
            except BaseException:
                self._discard_pool()
                raise
            if not keep:
                await self.close_loop()

    @contextlib.asynccontextmanager
    async def connection_to_clone(self, *, keep: bool = False) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection to a database of its own: COMMIT is allowed.

        Args:
            keep: The running loop serves later tests too, so the connection is worth keeping.
        """
        clone = await asyncio.wrap_future(self._clones.take())
        kept: list[int] = []
        try:
            async with self._kept.connection(clone, kept if keep and self._clones.may_restore else None) as connection:
                yield connection
        finally:
            self._clones.give_back(clone, kept=kept, is_known=False)

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
        connection = self._background.run(lease.__aenter__())
        try:
            yield Blocking(connection, self._background)
        finally:
            self._background.run(lease.__aexit__(None, None, None))

    @contextlib.contextmanager
    def cloned_database(self) -> Iterator[ClonedDatabase]:
        """Give a database of its own."""
        future = self._clones.take()
        try:
            clone = future.result(_CLONE_TIMEOUT_S)
        except BaseException:
            future.cancel()  # Nobody would give it back.
            raise
        database = ClonedDatabase(clone, self._background)
        try:
            yield database
        finally:
            database.abandon()
            self._clones.give_back(clone, is_known=database.is_known)

    @functools.cached_property
    def leases(self) -> Leases:
        """Databases of tests with several clients."""
        return Leases(self._clones, self._background)

    def findings(self) -> list[Finding]:
        """Return what tests have left that could not be undone, each once."""
        return self._clones.findings()

    def share(self, scope: str) -> SharedDatabase:
        """Return a database that several tests start from. Close it after them."""
        from realservices.isolation.postgres.share import SharedDatabase  # noqa: PLC0415 - it needs this module

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
        await self._kept.close_loop()
        _, pool = self._pools.pop(asyncio.get_running_loop(), (None, None))
        if pool is None:
            return
        if pool.get_idle_size() < pool.get_size():
            pool.terminate()  # Somebody has the connection, and may never give it back.
        else:
            await pool.close()

    def close(self, *, drop: bool) -> None:
        """End the process's use of the service; ``drop``: remove every clone, because the server goes on."""
        self._background.run(self.close_loop(), _END_TIMEOUT_S)
        if "leases" in self.__dict__:
            self.leases.close()
        if drop and self._base is not None and not self._base.cancelled():
            self._clones.drop(self._base.result(_CLONE_TIMEOUT_S)).result(_CLONE_TIMEOUT_S)
        self._clones.close(drop=drop, timeout_s=_CLONE_TIMEOUT_S)

    def _discard_pool(self) -> None:
        """Forget the running loop's connection, whatever state it is in."""
        _, pool = self._pools.pop(asyncio.get_running_loop(), (None, None))
        if pool is not None:
            pool.terminate()

    async def _end(self, connection: IsolatedConnection) -> None:
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                await connection.end_test()
            return
        except TimeoutError:  # Before _GONE: it is an OSError too.
            reason = f"could not be rolled back within {_END_TIMEOUT_S:.0f} s"
        except _GONE:
            connection.terminate()  # The server has ended the connection, and the transaction with it.
            return
        except IsolationBrokenError:
            self._throw_away()
            raise
        except asyncpg.InterfaceError as error:
            reason = f"was still in use when its test ended ({error}): await or cancel what uses it"
        raise IsolationError(f"isolated_database {reason}. Its connection has been closed; later tests get another")

    def _throw_away(self) -> None:
        """Drop the database for transactions; the next test gets another one."""
        base, self._base = self._base, None
        if base is not None:
            self._clones.drop(base.result())

    def _base_clone(self) -> Future[Clone]:
        # A test that was cancelled while it waited for it has cancelled it, too.
        if self._base is None or self._base.cancelled() or (self._base.done() and self._base.exception()):
            self._base = self._clones.make()
        return self._base

    async def _pool(self) -> asyncpg.Pool:
        loop = asyncio.get_running_loop()
        base = await asyncio.wrap_future(self._base_clone())
        clone, pool = self._pools.get(loop, (None, None))
        if pool is not None and clone is base:
            return pool
        self._discard_pool()
        pool = await asyncpg.create_pool(
            **base.connect_kwargs,
            connection_class=IsolatedConnection,
            **POOL_OF_ONE,
            reset=_already_reset,
        )
        self._pools[loop] = base, pool
        return pool


async def _begin(pool: asyncpg.Pool) -> tuple[Any, IsolatedConnection]:
    """Take the pool's connection and open a test's transaction on it."""
    proxy: Any = await pool.acquire()
    try:
        await _begin_on(proxy._con)
    except (*_GONE, asyncpg.InterfaceError):
        # The server was restarted since the last test; the pool connects anew.
        proxy = await pool.acquire()
        await _begin_on(proxy._con)
    return proxy, proxy._con


async def _begin_on(connection: IsolatedConnection) -> None:
    try:
        await connection.begin_test()
    except BaseException:
        # Also of a test that is cancelled meanwhile: so the pool has its connection back, for which it would wait for
        # ever when it is closed or asked for another one.
        connection.terminate()
        raise


async def _already_reset(connection: object) -> None:
    """`IsolatedConnection.end_test` has reset the session."""
