"""Redis, isolated: a numbered database per test, and an account that reaches no other.

The account may do everything except what reaches beyond the test's database: the server itself refuses FLUSHALL,
SELECT of another number and the like, also to clients that code under test makes from the URL. When the test ends, all
connections of the account are closed and the database is flushed.

Publish/subscribe channels, functions and the script cache belong to the whole server; Redis cannot divide them.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.exceptions import NoPermissionError

from realservices.isolation.errors import IsolationBrokenError, IsolationError

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.isolation.worker import Worker

# What reaches beyond one database. "config|get" style rules name subcommands (Redis 7).
_REFUSED = (
    *("flushall", "swapdb", "move", "shutdown", "debug", "monitor", "replicaof", "slaveof", "failover", "migrate"),
    *("config|set", "config|rewrite", "config|resetstat", "client|kill", "client|pause", "client|unpause"),
    *("acl|setuser", "acl|deluser", "acl|load", "acl|save", "script|flush", "script|kill"),
    *("function|flush", "function|delete", "function|restore", "function|kill"),
)
_REFUSED_RULES = tuple(f"-{command}" for command in _REFUSED)
# Numbers are used in turn, so that something late of one test does not meet the next one; see `_numbers`.
_SPARE_SLICES = 8


class ServerWideCommandError(IsolationError, NoPermissionError):
    """A command that would reach other tests, refused by the server."""


@dataclass(frozen=True, slots=True)
class RedisLease:
    """A test's share of a Redis server.

    Attributes:
        endpoint: The service.
        number: The database's number.
        user, password: The account, which may select this number only.
    """

    endpoint: Endpoint
    number: int
    user: str
    password: str

    @property
    def url(self) -> str:
        """The URL for code under test: over TCP, with account and number."""
        return f"redis://{self.user}:{self.password}@{self.endpoint.host}:{self.endpoint.port}/{self.number}"

    def client(self) -> IsolatedRedis:
        """Return an asyncio client. It connects at its first command."""
        pool = redis.asyncio.ConnectionPool(**self._pool_arguments(redis.asyncio))
        return IsolatedRedis(self, connection_pool=pool)

    def client_sync(self) -> IsolatedRedisSync:
        """Return a blocking client. It connects at its first command."""
        return IsolatedRedisSync(self, connection_pool=redis.ConnectionPool(**self._pool_arguments(redis)))

    def _pool_arguments(self, module: Any) -> dict[str, Any]:
        arguments = {
            "username": self.user,
            "password": self.password,
            "db": self.number,
            "decode_responses": True,
            **_without_client_info(),
        }
        if self.endpoint.socket:
            return arguments | {
                "connection_class": module.UnixDomainSocketConnection,
                "path": self.endpoint.socket,
            }
        return arguments | {"host": self.endpoint.host, "port": self.endpoint.port}


class IsolatedRedis(redis.asyncio.Redis):
    """An asyncio client of a test's own database.

    Attributes:
        url: The URL for code under test that makes its own client.
        number: The database's number.
    """

    def __init__(self, lease: RedisLease, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.url, self.number = lease.url, lease.number

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command; say what to do instead where it would reach other tests."""
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except NoPermissionError as error:
            raise _explain(args, error) from None


class IsolatedRedisSync(redis.Redis):
    """A blocking client of a test's own database; the attributes are those of `IsolatedRedis`."""

    def __init__(self, lease: RedisLease, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.url, self.number = lease.url, lease.number

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command; say what to do instead where it would reach other tests."""
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except NoPermissionError as error:
            raise _explain(args, error) from None


class RedisIsolation:
    """What one process uses of one Redis service.

    Args:
        endpoint: The service.
        worker: This process's place among those that share it.

    Raises:
        IsolationError: The server has too few databases for the workers.
    """

    def __init__(self, endpoint: Endpoint, worker: Worker) -> None:
        self._endpoint = endpoint
        self._numbers = itertools.cycle(_numbers(endpoint, worker))
        self._user = f"realservices-{worker.name}-{os.getpid()}-{secrets.token_hex(4)}"
        self._password = secrets.token_hex(16)
        self._admin: Any = None
        self._current = 0

    def lease(self) -> RedisLease:
        """Give a test a number; the database is empty."""
        number = next(self._numbers)
        if self._admin is None:
            self._call(self._account())
        allow = ("ACL", "SETUSER", self._user, "-select", f"+select|{number}")
        self._call(allow, ("SELECT", number), ("FLUSHDB",))
        self._current = number
        return RedisLease(self._endpoint, number, self._user, self._password)

    def release(self, lease: RedisLease) -> None:
        """Take it back: cut the account's connections, flush, and look that nothing is left.

        Raises:
            IsolationBrokenError: Something wrote into the database after it was flushed.
        """
        self._current = 0
        kill = ("CLIENT", "KILL", "USER", self._user)
        *_, left = self._call(kill, ("SELECT", lease.number), ("FLUSHDB",), ("DBSIZE",))
        if left != 0:
            raise IsolationBrokenError(
                f"Redis database {lease.number} of {self._endpoint.label} holds {left} keys right after FLUSHDB: "
                "something writes to it with another account than the test's; give it isolated_redis.url"
            )

    def restore(self) -> None:
        """Make the account again: a restarted server has forgotten it."""
        allow = (f"+select|{self._current}",) if self._current else ()
        self._call((*self._account(), *allow))

    def close(self) -> None:
        """Disconnect."""
        if self._admin is not None:
            self._admin.disconnect()

    def _call(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Send commands over the administrative connection in one go; return their answers."""
        for attempt in (1, 2):
            try:
                if self._admin is None:
                    self._admin = self._connect()
                self._admin.send_packed_command(self._admin.pack_commands(commands))
                return [self._admin.read_response() for _ in commands]
            except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
                self._admin = None  # The server may have been restarted: once more over a new connection.
                if attempt == 2:
                    service = self._endpoint
                    raise IsolationError(
                        f"Redis service {service.name!r} ({service.label}) at {service.host}:{service.port} does not "
                        f"answer: {error}; its log is {service.log or 'not known'}"
                    ) from error
        raise AssertionError("unreachable")

    def _account(self) -> tuple[Any, ...]:
        rules = ("reset", "on", f">{self._password}", "~*", "&*", "+@all", *_REFUSED_RULES, "-select")
        return ("ACL", "SETUSER", self._user, *rules)

    def _connect(self) -> Any:
        service = self._endpoint
        arguments: dict[str, Any] = {"username": service.user or None, "password": service.password or None}
        arguments |= _without_client_info()
        if service.socket:
            kind: Any = redis.UnixDomainSocketConnection
            connection = kind(path=service.socket, **arguments)
        else:
            kind = redis.Connection
            connection = kind(host=service.host, port=service.port, **arguments)
        connection.connect()
        return connection


def _numbers(endpoint: Endpoint, worker: Worker) -> range:
    """Return the worker's own numbers. Number 0 is what REDIS_URL points programs to.

    There are more slices than workers: one that replaces a crashed worker has an index of its own.
    """
    usable = endpoint.databases - 1
    slices = worker.count * (_SPARE_SLICES if worker.count > 1 else 1)
    width = usable // slices
    if width < 1:
        raise IsolationError(
            f"Redis service {endpoint.name!r} ({endpoint.label}) has {endpoint.databases} databases, too few for "
            f"{worker.count} pytest-xdist workers: {slices + 1} are needed; set databases on the redis_service"
        )
    first = 1 + (worker.index % slices) * width
    return range(first, first + width)


@functools.cache
def _without_client_info() -> dict[str, Any]:
    # CLIENT SETINFO costs each new connection two round trips and tells a test nothing.
    known = inspect.signature(redis.connection.AbstractConnection.__init__).parameters
    return {"driver_info": None} if "driver_info" in known else {"lib_name": None, "lib_version": None}


def _explain(args: tuple[Any, ...], error: NoPermissionError) -> ServerWideCommandError:
    command = " ".join(str(part) for part in args[:2])
    return ServerWideCommandError(
        f"{command}: Redis refuses this to isolated_redis, because it would reach other tests ({error}). Use the "
        "command for one database (flushdb for flushall); settings belong into the redis_service's settings attribute"
    )
