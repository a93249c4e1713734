"""A test's connections to Redis. One is kept from test to test.

Connecting takes longer than all the rest of a short test. So a connection that a test has released is renewed for
the next one: by another login, where the test has sent nothing but commands that read and write keys; else by the
command RESET, which the server answers by forgetting everything about the connection (https://redis.io/commands/reset):
transaction, subscriptions, tracking, name, account. Each test has a password of its own, so that what it has left
behind cannot connect again.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.exceptions import RedisError

from realservices.isolation.errors import IsolationError, ended
from realservices.isolation.own_process import OwnProcess
from realservices.kinds.redis.isolation import guard
from realservices.kinds.redis.isolation.connection_arguments import (
    own_arguments,
    renewal,
    require_renewed,
    without_maintenance,
)

if TYPE_CHECKING:
    from realservices.kinds.redis.isolation.lease import RedisLease

_OTHER_LOOP = (
    "this isolated_redis belongs to the event loop of its test. Code that runs in another loop or thread (asyncio.run, "
    "a web framework's TestClient) needs a client of its own: give it isolated_redis.url"
)


class KeepingPool(redis.asyncio.ConnectionPool):
    """A test's connections. The first one may come from the test before, and one is given on at the end.

    Args:
        lease: The test's share.
        decode: Whether answers are `str`, not `bytes`.
        kept: The connection of the test before, or None.
        stale: Connections of earlier tests that can only be closed where a loop runs: at the first use.
        own_loop: The test's; None: it is not known yet.

    Attributes:
        loop: Where the connections are used, None before that.
    """

    def __init__(
        self,
        lease: RedisLease,
        *,
        decode: bool,
        kept: Any = None,
        stale: list[Any] | None = None,
        own_loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        classes = guard.SocketConnection, guard.Connection, guard.GuardedConnection
        super().__init__(**own_arguments(lease, decode, *classes), **without_maintenance(redis.asyncio.ConnectionPool))
        self.loop: asyncio.AbstractEventLoop | None = None
        self._own_loop = own_loop
        self._lease = lease
        self._old = kept
        self._stale = stale or []
        self._kept: Any = None
        self._made: list[Any] = []
        self._idle: set[Any] = set()
        self._in_flight = 0  # Who is being given a connection: which one it is the library has decided already.
        self._ended = False
        self._process = OwnProcess()

    def make_connection(self) -> Any:
        """Return the kept connection, or after it new ones."""
        connection, self._kept = self._kept, None
        if connection is None:
            connection = super().make_connection()  # type: ignore[no-untyped-call]
            connection.username = self._lease.client_user or None
        self._made.append(connection)
        return connection

    async def get_connection(self, *args: Any, **options: Any) -> Any:
        """Lend a connection, except to a client that has outlived its test: its connection is the next one's.

        Raises:
            IsolationError: To such a one, in another loop than the test's, or to a forked child.
        """
        if self._ended:
            raise ended("this isolated_redis")
        self._process.require("isolated_redis", "In the child use isolated_redis_sync, or a client made by .url")
        self.loop = asyncio.get_running_loop()
        if self._own_loop not in (None, self.loop):
            raise IsolationError(_OTHER_LOOP)
        if self._old is not None or self._stale:
            await self._begin()
        self._in_flight += 1
        try:
            connection = await super().get_connection(*args, **options)  # type: ignore[no-untyped-call]
            self._idle.discard(connection)
        finally:
            self._in_flight -= 1
        return connection

    async def release(self, connection: Any) -> None:
        """Take a connection back. One that is not taken back is somebody's still, and not fit to be kept."""
        await super().release(connection)
        self._idle.add(connection)

    def end(self) -> tuple[Any, list[Any]]:
        """Return a connection to keep, or None, and those to close."""
        self._ended = True
        kept = self._old or self._kept or (None if self._in_flight else _fit(self._made, self._idle))
        made = [connection for connection in self._made if connection is not kept and connection.is_connected]
        return kept, [*self._stale, *made]

    async def close_all(self) -> None:
        """End, and close all connections."""
        kept, stale = self.end()
        for connection in (kept, *stale):
            if connection is not None:
                await connection.disconnect()

    async def _begin(self) -> None:
        # Nobody else may be given the connection meanwhile.
        old, self._old = self._old, None
        while self._stale:
            await self._stale.pop().disconnect()
        if old is None:
            return
        commands = renewal(self._lease, is_changed=old.is_changed)
        old.adopt(self._lease)
        try:
            await old.send_packed_command(old.pack_own(commands))
            require_renewed(commands, [await old.read_response() for _ in commands])
        except (RedisError, OSError):
            await old.disconnect()  # The server may have been restarted; the pool connects anew.
        except BaseException:
            await old.disconnect(nowait=True)  # Cancelled: an answer may be on its way.
            raise
        else:
            self._kept = old


class KeepingPoolSync(redis.ConnectionPool):
    """`KeepingPool` for blocking connections.

    Args:
        lease: The test's share.
        decode: Whether answers are `str`, not `bytes`.
        kept: The connection of the test before, or None.
    """

    def __init__(self, lease: RedisLease, *, decode: bool, kept: Any = None) -> None:
        classes = guard.SocketConnectionSync, guard.ConnectionSync, guard.GuardedConnectionSync
        super().__init__(**own_arguments(lease, decode, *classes), **without_maintenance(redis.ConnectionPool))
        self._lease = lease
        self._old = kept
        self._kept: Any = None
        self._made: list[Any] = []
        self._idle: set[Any] = set()
        self._in_flight = 0  # Who is being given a connection: which one it is the library has decided already.
        self._ended = False
        self._user = lease.client_user
        self._state = threading.Lock()  # Threads of a test may use it at the same time.
        self._process = OwnProcess()

    def make_connection(self) -> Any:
        """Return the kept connection, or after it new ones."""
        connection, self._kept = self._kept, None
        if connection is None:
            connection = super().make_connection()
            vars(connection)["username"] = self._user or None
        self._made.append(connection)
        return connection

    def get_connection(self, *args: Any, **options: Any) -> Any:
        """Lend a connection, except to a client that has outlived its test: its connection is the next one's."""
        if not self._process.is_this:
            self._begin_in_child()
        with self._state:
            if self._ended:
                raise ended("this isolated_redis")
            if self._old is not None:
                self._begin()
            self._in_flight += 1
        connection = None
        try:
            connection = super().get_connection(*args, **options)
        finally:
            with self._state:
                self._idle.discard(connection)
                self._in_flight -= 1
        return connection

    def release(self, connection: Any) -> None:
        """Take a connection back. One that is not taken back is somebody's still, and not fit to be kept."""
        super().release(connection)
        self._idle.add(connection)

    def end(self) -> tuple[Any, bool]:
        """Close all connections but one that is to be kept.

        Returns:
            It, or None, and whether a thread or an object of the test has one still.
        """
        if not self._process.is_this:
            return None, False
        with self._state:
            self._ended = True
            kept = self._old or self._kept or (None if self._in_flight else _fit(self._made, self._idle))
            used = self._made if self._in_flight else [each for each in self._made if each not in self._idle]
        for connection in self._made:
            if connection in used:
                connection.shut_down()
            elif connection is not kept:
                connection.disconnect()
        return kept, bool(used or self._in_flight)

    def _begin_in_child(self) -> None:
        """Leave the connections to the parent. The child's own end with the test: the url's account is cut off then."""
        self._process = OwnProcess()
        self._old = self._kept = None
        self._made, self._idle = [], set()
        self._user, self._state, self._in_flight = self._lease.user, threading.Lock(), 0
        self.reset()

    def _begin(self) -> None:
        old, self._old = self._old, None
        commands = renewal(self._lease, is_changed=old.is_changed)
        old.adopt(self._lease)
        try:
            old.send_packed_command(old.pack_own(commands))
            require_renewed(commands, [old.read_response() for _ in commands])
        except (RedisError, OSError):
            old.disconnect()
        except BaseException:
            old.disconnect()
            raise
        else:
            self._kept = old


def _fit(made: list[Any], idle: set[Any]) -> Any:
    return next((connection for connection in made if connection in idle and not connection.is_spoilt), None)
