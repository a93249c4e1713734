"""Redis for several tests at once in one process: a pooled connection for each, with accounts of its own.

It is `RedisIsolation` as one test after the other uses it. All of them share the databases of the process, of which
further ranges are claimed as they are needed. On an external server each leases its own.

How many indexes there are for this process is found out by asking for one more. Where there is none, a test waits for
one that another test of the process releases; what other processes release is found by the next request.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from realservices.kinds.redis.isolation.index_ranges import IndexesExhaustedError
from realservices.kinds.redis.isolation.isolation import RedisIsolation
from realservices.kinds.redis.pool.shared_indexes import PooledIndexes, SharedIndexes
from realservices.kinds.redis.pool.waiting import WaitingPool, WaitingRedis
from realservices.optimization.limits import FairLimit, Permit, PoolTimeoutError
from realservices.optimization.monitor import current_test
from realservices.optimization.pool import Pool

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.test_environment import TestEnvironment
    from realservices.kinds.redis.isolation.clients import IsolatedRedis, IsolatedRedisSync
    from realservices.kinds.redis.isolation.lease import RedisLease
    from realservices.kinds.redis.isolation.leftovers import Leftovers
    from realservices.optimization.strategy import AdaptiveStrategy


# More than a server has: how many indexes there are is not known yet.
_UNKNOWN = 1_000_000
_RESOURCE = "redis"
_MORE_DATABASES = "run fewer pytest-xdist workers, or set databases on the redis_service to more"


class _PooledDatabase(RedisIsolation):
    def __init__(
        self, endpoint: Endpoint, directory: str, indexes: PooledIndexes | None, leftovers: Leftovers | None
    ) -> None:
        super().__init__(endpoint, directory, indexes, leftovers)
        self.shared_indexes = indexes


class RedisPool(RedisIsolation):
    """What one process uses of one Redis service, many tests at once.

    Args:
        endpoint: The service.
        directory: What all processes that share it share, for locks.
        strategy: Says how long to wait for an index, and how long pooled connections stay.
        leftovers: Undoes what tests leave in the whole server, where that may be.

    Attributes:
        pooled: The pooled connections.
    """

    def __init__(
        self, endpoint: Endpoint, directory: str, strategy: AdaptiveStrategy, leftovers: Leftovers | None = None
    ) -> None:
        self._shared = SharedIndexes(endpoint, directory)
        super().__init__(endpoint, directory, PooledIndexes(self._shared), leftovers)
        self._directory = directory
        self._settings = strategy.settings
        self.pooled = Pool(self._new, self._retire, strategy)
        self._used: dict[int, tuple[_PooledDatabase, Permit]] = {}  # By the index of the lease.
        self._limit = FairLimit(
            f"the databases that this process can have of Redis service {endpoint.name!r} ({endpoint.label})",
            _UNKNOWN,
            timeout_s=strategy.settings.acquire_timeout_s,
            remedy="Leave environments earlier, or lower max_concurrent_tests.",
        )
        self._refusal = ""  # What was said of an external server when it had no more.
        self._ended: list[_PooledDatabase] = []  # What they keep can only be closed where the loop runs.

    def measures(self) -> dict[str, Any]:
        """Return what a report says of the service."""
        return {"pooled": len(self.pooled.members)}

    def lease(self) -> RedisLease:
        """Give a test an index; the database is empty.

        Raises:
            IndexesExhaustedError: Other tests and processes have them all. `client_in_turn` waits.
        """
        lease = self._lease_now()
        if lease is None:
            raise self._exhausted()
        return lease

    def lease_or_wait(self) -> RedisLease | None:
        """Give a test an index, as `lease` does; None where another test of this process is going to release one."""
        lease = self._lease_now()
        if lease is None and not self._used:
            raise self._exhausted()
        return lease

    def _lease_now(self) -> RedisLease | None:
        if not self._limit.waiting and len(self._limit.holders) == len(self._used):
            self._limit.resize(_UNKNOWN)  # Nobody is before us, and other processes may have left indexes.
        permit = self._limit.acquire_now(current_test().test_id)
        return self._lease(permit) if permit else None

    def waiting_client(self, environment: TestEnvironment) -> IsolatedRedis:
        """Return a client that waits for its index with its first command."""
        pool = WaitingPool(lambda: environment.entered(_RESOURCE, self.client_in_turn(keep=environment.keep)))
        return WaitingRedis(connection_pool=pool)

    @contextlib.asynccontextmanager
    async def client_in_turn(self, *, keep: bool) -> AsyncIterator[IsolatedRedis]:
        """Give an asyncio client of an index that another test of this process releases.

        Args:
            keep: The running loop serves later tests, too, so that connections are worth keeping.

        Raises:
            PoolTimeoutError: It took too long.
            IndexesExhaustedError: No test of this process has one any more, and other processes have them all.
        """
        lease = await self._lease_in_turn()
        try:
            if keep:
                with self.client(lease) as client:
                    yield client
            else:
                async with self.client_in_loop(lease) as client:
                    yield client
        finally:
            self.release(lease)

    def release(self, lease: RedisLease) -> None:
        """Take it back as `RedisIsolation` does; the pooled connection is another test's then."""
        pooled, permit = self._used.pop(lease.database_index)
        is_fit = False
        try:
            pooled.release(lease)
            is_fit = self._settings.enable_resource_pooling
        finally:
            if pooled.shared_indexes and pooled.shared_indexes.index != lease.database_index:
                self._shared.release(lease.database_index)
            if is_fit:
                self.pooled.give_back(pooled)
            else:
                self._end(pooled)
            permit.release()

    @contextlib.contextmanager
    def client(
        self, lease: RedisLease, *, decode: bool = True, loop: asyncio.AbstractEventLoop | None = None
    ) -> Iterator[IsolatedRedis]:
        """Give an asyncio client for the session's loop."""
        with self._used[lease.database_index][0].client(lease, decode=decode, loop=loop) as client:
            yield client

    def client_to_close(
        self, lease: RedisLease, *, decode: bool = True
    ) -> tuple[IsolatedRedis, Callable[[], Awaitable[None]]]:
        """Return an asyncio client for a loop that ends with the test, and what closes it there."""
        if lease.database_index not in self._used:  # The servers' own database belongs to no pooled connection.
            return super().client_to_close(lease, decode=decode)
        return self._used[lease.database_index][0].client_to_close(lease, decode=decode)

    @contextlib.contextmanager
    def client_sync(self, lease: RedisLease, *, decode: bool = True) -> Iterator[IsolatedRedisSync]:
        """Give a blocking client."""
        with self._used[lease.database_index][0].client_sync(lease, decode=decode) as client:
            yield client

    def restore(self) -> None:
        """Make the accounts again: a restarted server has forgotten them."""
        for pooled in self.pooled.members:
            pooled.restore()

    async def close_loop(self) -> None:
        """Close what belongs to the session's loop, before it ends."""
        await self.pooled.close_loop()
        await super().close_loop()
        for pooled in (*self.pooled.members, *self._ended):
            await pooled.close_loop()
        self._ended.clear()

    def close(self, *, drop: bool = False) -> None:
        """Disconnect and leave the indexes to others."""
        for pooled in self.pooled.members:
            pooled.close()
        super().close()
        self._shared.close()

    async def _lease_in_turn(self) -> RedisLease:
        test = current_test()
        has_waited = False
        while True:
            try:
                permit = await self._limit.acquire(test.test_id, first=has_waited)
            except PoolTimeoutError as error:
                raise PoolTimeoutError(f"{error} {self._shortage()}") from None
            test.wait_s += permit.waited_s
            has_waited = True
            if lease := self._lease(permit):
                return lease
            if not self._used:
                raise self._exhausted()

    def _lease(self, permit: Permit) -> RedisLease | None:
        """Give an index to who has the permit. None: the server has no more, and the permit is released."""
        pooled = lease = None
        try:
            pooled = self.pooled.take()
            lease = pooled.lease()
        except IndexesExhaustedError as error:
            self._refusal = str(error)
            self._limit.resize(max(1, len(self._used)))
        finally:
            if lease is None:
                if pooled:
                    self._end(pooled)  # With its index: a server that is down for a while must not use them all up.
                permit.release()
        if pooled and lease:
            self._used[lease.database_index] = pooled, permit
        return lease

    def _new(self) -> _PooledDatabase:
        indexes = PooledIndexes(self._shared) if self.endpoint.disposable else None
        return _PooledDatabase(self.endpoint, self._directory, indexes, self._leftovers)

    async def _retire(self, pooled: _PooledDatabase) -> None:
        self._disconnect(pooled)
        await pooled.close_loop()

    def _end(self, pooled: _PooledDatabase) -> None:
        self.pooled.remove(pooled)
        self._disconnect(pooled)

    def _disconnect(self, pooled: _PooledDatabase) -> None:
        if pooled.shared_indexes and pooled.shared_indexes.index is not None:
            self._shared.release(pooled.shared_indexes.index)
        pooled.close()
        self._ended.append(pooled)

    def _exhausted(self) -> IndexesExhaustedError:
        service = self.endpoint
        if self._refusal and not service.disposable:
            return IndexesExhaustedError(self._refusal)
        tests = ", ".join(sorted(permit.holder for _, permit in self._used.values()))
        return IndexesExhaustedError(
            f"{current_test().test_id}: all of the {service.databases} databases of Redis service {service.name!r} "
            f"({service.label}) that this process can have are in use, by {tests or 'other processes of this test'}. "
            f"Lower max_concurrent_tests, {_MORE_DATABASES}"
        )

    def _shortage(self) -> str:
        """Say how many there are altogether, and how to have more."""
        if not self.endpoint.disposable:
            return self._refusal
        return f"The server has {self.endpoint.databases}, of which database 0 is what programs use: {_MORE_DATABASES}"
