"""Redis, isolated: a database per test, and accounts that reach no other.

The accounts may do everything except what reaches beyond the test's database: the server itself refuses FLUSHALL,
SELECT of another database and the like, also to clients that code under test makes from the URL. When the test ends,
the connections made from the URL are closed and the database is flushed.

On an external server database indexes are leased by agreement (leased_index.py), and where the accounts cannot
be made the fixtures' clients guard themselves (guard.py).

Publish/subscribe channels, functions and the script cache belong to the whole server; Redis cannot divide them. What
the fixtures' clients load of functions is removed (libraries.py), and what else a test leaves in the server when no
test runs (leftovers.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio

from realservices.isolation.errors import IsolationBrokenError, IsolationError, one_at_a_time
from realservices.isolation.service_isolation import ServiceIsolation
from realservices.kinds.redis.isolation import accounts, clients
from realservices.kinds.redis.isolation.administration import Administration
from realservices.kinds.redis.isolation.clients import IsolatedRedis, IsolatedRedisSync
from realservices.kinds.redis.isolation.index_ranges import IndexRange, IndexSource
from realservices.kinds.redis.isolation.kept_connections import KeepingPool, KeepingPoolSync
from realservices.kinds.redis.isolation.lease import RedisLease
from realservices.kinds.redis.isolation.leased_index import LeasedIndex
from realservices.kinds.redis.isolation.leftovers import LOOK
from realservices.kinds.redis.isolation.libraries import LoadedLibraries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.server_leftovers import State
    from realservices.isolation.test_environment import TestEnvironment
    from realservices.kinds.redis.isolation.accounts import Command
    from realservices.kinds.redis.isolation.leftovers import Leftovers

# Not ASYNC: what is still to be freed would count as the next test's memory (maxmemory).
_FLUSH = ("FLUSHDB",)


class RedisIsolation(ServiceIsolation):
    """What one process uses of one Redis service.

    Args:
        endpoint: The service.
        directory: What all processes that share it share, for locks.
        indexes: Where its indexes come from; by default a range of its own.
        leftovers: Undoes what tests leave in the whole server, where that may be.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        directory: str,
        indexes: IndexSource | None = None,
        leftovers: Leftovers | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._leftovers = leftovers
        self._leased = None if indexes or endpoint.disposable else LeasedIndex(endpoint)
        self._indexes: IndexSource = indexes or self._leased or IndexRange(endpoint, directory)
        token = self._leased.token if self._leased else f"{os.getpid()}-{secrets.token_hex(4)}"
        self._accounts = accounts.Accounts(token)
        self._accounts_looked_at = 0
        self._password = ""  # Of the test: what an earlier one has left running cannot connect again.
        self._administration = Administration(endpoint)
        try:
            self._has_accounts = self._leased is None or self._can_make_accounts(self._leased)
        except BaseException:
            self._indexes.close()  # Else whoever tries again and again leases all that there are.
            raise
        self._open = 0  # The index whose accounts let a test in.
        self._prepared = False
        self._is_taken = self._is_watched = False
        self._is_in_use = False  # A thread has a connection of a blocking client still.
        # By whether they decode.
        self._kept: dict[bool, Any] = {}
        self._stale: list[Any] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # Of these two: the session's.
        self._kept_sync: dict[bool, Any] = {}

    def lease(self) -> RedisLease:
        """Give a test a database; the database is empty.

        Raises:
            IsolationError: Another test of this process has its database still.
        """
        if self._is_taken:
            raise IsolationError(one_at_a_time("database index", self.endpoint))
        if not self._prepared:
            index, self._password = self._indexes.claim(), _new_password()
            self._call(*self._opened(index), ("SELECT", index), _FLUSH)
            self._open = index
        self._is_watched = self._watch()
        with contextlib.suppress(IsolationError):  # The server is down: nobody can use them.
            self._restore_accounts()
        # Only now: what has failed is no lease, and nobody would release it.
        self._prepared, self._is_taken = False, True
        service = self.endpoint
        libraries = LoadedLibraries(self._call, self._leftovers if self._is_watched else None)
        if not self._has_accounts:
            account = service.user, service.user, service.password
            return RedisLease(service, self._open, *account, libraries, is_guarded=True)
        return RedisLease(service, self._open, *self._accounts.names(self._open), self._password, libraries)

    def release(self, lease: RedisLease) -> None:
        """Take it back: cut the connections made from the URL, flush, and look that nothing is left.

        The same round trip prepares the next lease: a round trip to an idle server is the dearest part of it all.

        Raises:
            IsolationBrokenError: Something wrote into the database after it was flushed, or a test has changed the
                server for good.
        """
        self._is_taken = False
        leftovers, self._is_watched = self._leftovers if self._is_watched else None, False
        keys = 0

        def finish(is_last: bool) -> State:
            nonlocal keys
            keys, looked = self._flush(lease, (LOOK,) if is_last else ())
            return leftovers.state(*looked) if leftovers and is_last else {}

        if leftovers:
            leftovers.end(finish)
        else:
            finish(False)
        self._restore_accounts()
        if keys:
            raise IsolationBrokenError(
                f"Redis database {lease.database_index} of {self.endpoint.label} holds {keys} keys right after "
                "FLUSHDB: something writes to it with another account than the test's; give it isolated_redis.url"
            )

    def _watch(self) -> bool:
        """Begin to watch what a test leaves in the server; False: it is not ours to undo, or the server is down."""
        if self._leftovers:
            with contextlib.suppress(IsolationError):
                self._leftovers.begin()
                return True
        return False

    def _restore_accounts(self) -> None:
        """Make the accounts anew where a client of REDIS_URL has changed or removed one."""
        if self._leftovers and self._accounts_looked_at != self._leftovers.account_reads:
            self._accounts_looked_at = self._leftovers.account_reads
            if not self._accounts.are_whole(self._leftovers.test_accounts):
                self._accounts.forget()
                self._call(*self._opened(self._open))

    def _flush(self, lease: RedisLease, then: tuple[Command, ...]) -> tuple[int, list[Any]]:
        """Empty a database, and prepare the next one; return how many keys it has, and what commands behind answer."""
        lease.libraries.restore()
        index, following, self._password = lease.database_index, self._indexes.claim(), _new_password()
        commands = [
            *(self._accounts.shut(index) if self._has_accounts and following != index else ()),
            *self._opened(following),
            *(("CLIENT", "KILL", "USER", user) for user in self._left_connected(lease)),
            *(("SELECT", index), _FLUSH, ("DBSIZE",), ("SELECT", following), ("DBSIZE",)),
        ]
        answers = self._call_as_master(*commands, *then)
        keys, looked = answers[len(commands) - 3], answers[len(commands) :]
        if answers[len(commands) - 1] and following != index:
            self._call(_FLUSH)  # Something has come late, after the last test there.
        self._open, self._prepared = following, True
        return keys, looked

    def _left_connected(self, lease: RedisLease) -> list[str]:
        """Return the accounts of which connections must be closed: those of the clients only where one is left."""
        with_clients, self._is_in_use = bool(self._stale) or self._is_in_use, False
        users = [lease.user, lease.client_user] if with_clients else [lease.user]
        return users if self._has_accounts else []

    @contextlib.contextmanager
    def client(
        self, lease: RedisLease, *, decode: bool = True, loop: asyncio.AbstractEventLoop | None = None
    ) -> Iterator[IsolatedRedis]:
        """Give an asyncio client for the session's loop. Nothing of this needs the loop: it may stand still.

        Args:
            lease: The test's share.
            decode: Whether answers are `str`, not `bytes`.
            loop: The session's, where it is known: the client refuses to be used in another one.
        """
        kept = self._kept.pop(decode, None)
        pool = KeepingPool(lease, decode=decode, kept=kept, stale=self._stale, own_loop=loop)
        self._stale = []
        try:
            yield clients.client_of(IsolatedRedis, lease, pool)
        finally:
            kept, stale = pool.end()
            self._stale += stale
            self._loop = pool.loop or self._loop
            if self._stale or lease.is_guarded:
                # Some of the test's connections are still in use. `release` cuts them all, this one too. And one
                # without an account of ours may not be able to forget its test.
                self._stale += filter(None, [kept, *self._kept.values()])
                self._kept.clear()
            elif kept is not None:
                self._kept[decode] = kept

    @contextlib.asynccontextmanager
    async def client_in_loop(self, lease: RedisLease, *, decode: bool = True) -> AsyncIterator[IsolatedRedis]:
        """Give an asyncio client for a loop that ends with the test."""
        client, close = self.client_to_close(lease, decode=decode)
        try:
            yield client
        finally:
            await close()

    def client_to_close(
        self, lease: RedisLease, *, decode: bool = True
    ) -> tuple[IsolatedRedis, Callable[[], Awaitable[None]]]:
        """Return an asyncio client for a loop that ends with the test, and what closes it there."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        pool = KeepingPool(lease, decode=decode, own_loop=loop)
        return clients.client_of(IsolatedRedis, lease, pool), pool.close_all

    def client_of_service(self, *, decode: bool = True) -> tuple[IsolatedRedis, Callable[[], Awaitable[None]]]:
        """Return an asyncio client of the database that programs have by the service's URL, and what closes it.

        `server_state` puts the database back. The client may do there what a test's own may.
        """
        index = int(self.endpoint.database or 0)
        user, password = self._accounts.servers(), _new_password()
        self._call(accounts.make(user, index, password))
        lease = RedisLease(self.endpoint, index, user, user, password, LoadedLibraries(self._call))
        client, close = self.client_to_close(lease, decode=decode)

        async def end() -> None:
            await close()
            lease.libraries.restore()
            self._call(("ACL", "DELUSER", user))  # With it end the connections that the test has left.

        return client, end

    @contextlib.contextmanager
    def client_sync(self, lease: RedisLease, *, decode: bool = True) -> Iterator[IsolatedRedisSync]:
        """Give a blocking client."""
        pool = KeepingPoolSync(lease, decode=decode, kept=self._kept_sync.pop(decode, None))
        try:
            yield clients.client_of(IsolatedRedisSync, lease, pool)
        finally:
            kept, is_in_use = pool.end()
            self._is_in_use |= is_in_use
            if kept is not None and lease.is_guarded:
                kept.disconnect()
            elif kept is not None:
                self._kept_sync[decode] = kept

    def lease_or_wait(self) -> RedisLease | None:
        """Give a test a database; None: another test releases one, for which `waiting_client` waits (see pool/)."""
        return self.lease()

    def waiting_client(self, environment: TestEnvironment) -> IsolatedRedis:
        """Return a client that waits for a database with its first command."""
        raise NotImplementedError("a lease of one test after the other never waits")

    def restore(self) -> None:
        """Make the accounts again: a restarted server has forgotten them."""
        self._accounts.forget()
        if self._open:
            # Where it fails, the next lease makes them.
            prepared, self._prepared = self._prepared, False
            self._call(*self._opened(self._open))
            self._prepared = prepared

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends: nothing, where that is not the session's."""
        if self._loop is not asyncio.get_running_loop():
            return
        open_now = [*self._kept.values(), *self._stale]
        self._kept.clear()
        self._stale.clear()
        for connection in open_now:
            await connection.disconnect()

    def close(self, *, drop: bool = False) -> None:
        """Disconnect and leave the indexes to others."""
        if self._leased and self._has_accounts:
            with contextlib.suppress(redis.RedisError, IsolationError):
                self._call(*self._accounts.remove())
        self._indexes.close()
        self._administration.close()
        if self._leftovers:
            self._leftovers.close()
        for connection in self._kept_sync.values():
            connection.disconnect()

    def _can_make_accounts(self, indexes: LeasedIndex) -> bool:
        """Make the accounts on a server of others, and remove those of processes that were killed.

        Redis before 6 knows no accounts, Redis before 7 not the rules, and a hosted one may not let us.
        """
        try:
            # In this order: a process holds its index before it makes accounts.
            present = {name.decode() for name in self._call(("ACL", "USERS"))[0]}
            alive = {None, *indexes.live_tokens()}
            dead = [name for name in present if accounts.token_of(name) not in alive]
            if dead:
                self._call(("ACL", "DELUSER", *dead))
            self._call(*self._accounts.open(indexes.claim(), _new_password()))
        except redis.ResponseError:  # NoPermissionError is one.
            return False
        return True

    def _opened(self, index: int) -> list[Command]:
        """Return the commands that let the next test in."""
        return self._accounts.open(index, self._password) if self._has_accounts else []

    def _call_as_master(self, *commands: Command) -> list[Any]:
        try:
            return self._call(*commands)
        except redis.ReadOnlyError:
            if not self._leftovers:
                raise
            self._call(("REPLICAOF", "NO", "ONE"))  # A test has made a server of our own another one's replica.
        return self._call(*commands)

    def _call(self, *commands: Command) -> list[Any]:
        try:
            answers = self._administration.call(*commands)
        except BaseException:
            self._accounts.forget()  # What of it was done is not known.
            raise
        if self._leftovers:
            self._leftovers.expect(commands)
        return answers


def _new_password() -> str:
    return secrets.token_hex(16)
