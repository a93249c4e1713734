"""The Redis clients of a test, on connections that are kept from test to test.

Connecting takes longer than all the rest of a short test. So a connection that a test has released is renewed for
the next one by the command RESET, which the server answers by forgetting everything about it (https://redis.io/commands/reset):
transaction, subscriptions, tracking, name, account. The client object and its pool are new for every test.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

import redis
import redis.asyncio
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from realservices.isolation.errors import IsolationError, ended
from realservices.isolation.own_process import OwnProcess
from realservices.kinds.redis.isolation import guard
from realservices.kinds.redis.isolation.refusals import add_note, explain

if TYPE_CHECKING:
    from realservices.kinds.redis.isolation.lease import RedisLease

C = TypeVar("C", "IsolatedRedis", "IsolatedRedisSync")
PROTOCOL = 2
"""What RESET leaves a connection at. redis-py gives the replies of both protocols the same shapes."""
_OTHER_LOOP = (
    "this isolated_redis belongs to the event loop of its test. Code that runs in another loop or thread (asyncio.run, "
    "a web framework's TestClient) needs a client of its own: give it isolated_redis.url"
)


class _OwnDatabase:
    """What the client of a test's own database has besides the library's methods.

    Attributes:
        url: The URL for code under test that makes its own client.
        database_index: Which database it is.
    """

    url = ""
    database_index = 0

    def channel(self, name: str) -> str:
        """Return a name for a publish/subscribe channel that no other test uses at the same time.

        Channels belong to the whole server: on one of a fixed name a test hears those of other processes, too.
        """
        return f"{name}:{self.database_index}"


class IsolatedRedis(_OwnDatabase, redis.asyncio.Redis):  # type: ignore[misc]  # The library's own bases disagree.
    """An asyncio client of a test's own database."""

    def set_response_callback(self, command: str, callback: Any) -> None:
        """Set a callback of this test's client; the table is common to all tests' clients until then."""
        self.response_callbacks = copy.copy(self.response_callbacks)
        super().set_response_callback(command, callback)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command; say what to do instead where it would reach other tests."""
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except NoPermissionError as error:
            raise explain(args, error) from None
        except (UnicodeDecodeError, ResponseError) as error:
            add_note(error)
            raise


class IsolatedRedisSync(_OwnDatabase, redis.Redis):
    """A blocking client of a test's own database."""

    def set_response_callback(self, command: str, callback: Any) -> None:
        """Set a callback of this test's client; the table is common to all tests' clients until then."""
        self.response_callbacks = copy.copy(self.response_callbacks)
        super().set_response_callback(command, callback)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command; say what to do instead where it would reach other tests."""
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except NoPermissionError as error:
            raise explain(args, error) from None
        except (UnicodeDecodeError, ResponseError) as error:
            add_note(error)
            raise


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
        super().__init__(**_arguments(lease, decode, *classes))
        self.loop: asyncio.AbstractEventLoop | None = None
        self._own_loop = own_loop
        self._lease = lease
        self._old = kept
        self._stale = stale or []
        self._kept: Any = None
        self._made: list[Any] = []
        self._idle: set[Any] = set()
        self._ended = False
        self._process = OwnProcess()

    def make_connection(self) -> Any:
        """Return the kept connection, or after it new ones."""
        connection, self._kept = self._kept or super().make_connection(), None  # type: ignore[no-untyped-call]
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
        connection = await super().get_connection(*args, **options)  # type: ignore[no-untyped-call]
        self._idle.discard(connection)
        return connection

    async def release(self, connection: Any) -> None:
        """Take a connection back. One that is not taken back is somebody's still, and not fit to be kept."""
        await super().release(connection)
        self._idle.add(connection)

    def end(self) -> tuple[Any, list[Any]]:
        """Return a connection to keep, or None, and those to close."""
        self._ended = True
        kept = self._old or self._kept or _fit(self._made, self._idle)
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
        commands = _renewal(self._lease)
        old.db, old.before_load = self._lease.database_index, self._lease.libraries.before_load
        try:
            await old.send_packed_command(old.pack_commands(commands))
            for _ in commands:
                await old.read_response()
        except (RedisError, OSError):
            await old.disconnect()  # The server may have been restarted; the pool connects anew.
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
        super().__init__(**_arguments(lease, decode, *classes))
        self._lease = lease
        self._old = kept
        self._kept: Any = None
        self._made: list[Any] = []
        self._idle: set[Any] = set()
        self._ended = False
        self._process = OwnProcess()

    def make_connection(self) -> Any:
        """Return the kept connection, or after it new ones."""
        connection, self._kept = self._kept or super().make_connection(), None
        self._made.append(connection)
        return connection

    def get_connection(self, *args: Any, **options: Any) -> Any:
        """Lend a connection, except to a client that has outlived its test: its connection is the next one's."""
        if not self._process.is_this:
            self._begin_in_child()
        if self._ended:
            raise ended("this isolated_redis")
        if self._old is not None:
            self._begin()
        connection = super().get_connection(*args, **options)
        self._idle.discard(connection)
        return connection

    def release(self, connection: Any) -> None:
        """Take a connection back. One that is not taken back is somebody's still, and not fit to be kept."""
        super().release(connection)
        self._idle.add(connection)

    def end(self) -> Any:
        """Close all connections but one, which is returned; None where there is none to keep."""
        self._ended = True
        if not self._process.is_this:
            return None
        kept = self._old or self._kept or _fit(self._made, self._idle)
        for connection in self._made:
            if connection is not kept:
                connection.disconnect()
        return kept

    def _begin_in_child(self) -> None:
        """Leave the connections to the parent. The child's own end with the test: the url's account is cut off then."""
        self._process = OwnProcess()
        self._old = self._kept = None
        self._made, self._idle = [], set()
        self.connection_kwargs["username"] = self._lease.user or None
        self.reset()

    def _begin(self) -> None:
        old, self._old = self._old, None
        commands = _renewal(self._lease)
        old.db, old.before_load = self._lease.database_index, self._lease.libraries.before_load
        try:
            old.send_packed_command(old.pack_commands(commands))
            for _ in commands:
                old.read_response()
        except (RedisError, OSError):
            old.disconnect()
        else:
            self._kept = old


def client_of(kind: type[C], lease: RedisLease, pool: Any) -> C:
    """Return a new client of a test's own. Copied, because redis-py takes 0.1 ms to fill its table of callbacks."""
    client: C = copy.copy(_model(kind))
    client.connection_pool = pool
    client.url, client.database_index = lease.url, lease.database_index
    return client


@functools.cache
def _model(kind: Any) -> Any:
    module = redis.asyncio if issubclass(kind, redis.asyncio.Redis) else redis
    return kind(connection_pool=module.ConnectionPool(protocol=PROTOCOL))


def _arguments(lease: RedisLease, decode: bool, socket: Any, ordinary: Any, guarded: Any) -> dict[str, Any]:
    arguments = {
        "username": lease.client_user or None,
        "password": lease.password or None,
        "db": lease.database_index,
        "protocol": PROTOCOL,
        "decode_responses": decode,
        "before_load": lease.libraries.before_load,
        **without_client_info(),
    }
    if lease.endpoint.socket:
        return {**arguments, "connection_class": socket, "path": lease.endpoint.socket}
    arguments["connection_class"] = guarded if lease.is_guarded else ordinary
    return {**arguments, "host": lease.endpoint.host, "port": lease.endpoint.port}


@functools.cache
def without_client_info() -> dict[str, Any]:
    """Return the arguments that keep redis-py from sending CLIENT SETINFO: two round trips that tell a test nothing."""
    known = inspect.signature(redis.connection.AbstractConnection.__init__).parameters
    return {"driver_info": None} if "driver_info" in known else {"lib_name": None, "lib_version": None}


def _renewal(lease: RedisLease) -> tuple[tuple[Any, ...], ...]:
    return ("RESET",), ("AUTH", lease.client_user, lease.password), ("SELECT", lease.database_index)


def _fit(made: list[Any], idle: set[Any]) -> Any:
    return next((connection for connection in made if connection in idle), None)
