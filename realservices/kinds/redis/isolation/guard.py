"""The guard in the fixtures' own clients, which stands where a connection takes commands: one by one, or a pipeline's.

Where accounts of ours confine a test, the server refuses nearly everything that reaches beyond a database, and the
guard the one thing for which it has no rule: COPY to another database. Elsewhere (Redis before 7, or one where we may
make no accounts) the guard refuses all of it. It protects from accidents by the fixtures' clients; what code under test
does with a client that it makes from the URL is not its business.

Libraries of functions belong to the whole server. One that a test loads is told to the lease before, which removes it.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.exceptions import NoPermissionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from realservices.kinds.redis.isolation.lease import RedisLease

# What reaches beyond one database. "config|set" names a subcommand. RESET would go to database 0.
REFUSED = (
    *("flushall", "swapdb", "move", "shutdown", "debug", "monitor", "replicaof", "slaveof", "failover", "migrate"),
    *("sync", "psync", "replconf", "save", "bgsave", "bgrewriteaof"),
    *("config|set", "config|rewrite", "config|resetstat", "client|kill", "client|pause", "client|unpause"),
    *("acl|setuser", "acl|deluser", "acl|load", "acl|save", "acl|log", "script|flush", "script|kill", "script|debug"),
    *("function|flush", "function|delete", "function|restore", "function|kill"),
    *("module|load", "module|loadex", "module|unload", "slowlog|reset", "latency|reset"),
)
_REFUSED_HERE = frozenset((*REFUSED, "reset"))
_LOAD = ("function", "load")
_SPOILING = (("client", "reply"), ("client", "setinfo"))
_PLAIN_TEXT = """
    APPEND DBSIZE DECR DECRBY DEL EXISTS EXPIRE FLUSHDB GET GETDEL GETEX GETSET HDEL HEXISTS HGET HGETALL HINCRBY HKEYS
    HLEN HMGET HMSET HSET HSETNX HVALS INCR INCRBY INCRBYFLOAT KEYS LINDEX LLEN LPOP LPUSH LRANGE LREM LTRIM MGET MSET
    PERSIST PEXPIRE PING PSETEX PTTL RENAME RPOP RPUSH SADD SCAN SCARD SET SETEX SETNX SISMEMBER SMEMBERS SPOP SREM TTL
    TYPE UNLINK XACK XADD XLEN XRANGE XREAD ZADD ZCARD ZCOUNT ZINCRBY ZRANGE ZRANGEBYSCORE ZRANK ZREM ZSCORE
"""
PLAIN = frozenset(_PLAIN_TEXT.split())
"""The commonest of the commands that change nothing about a connection, as the library writes them."""


class _Guard:
    """A connection of a lease's client.

    Args:
        before_load: Called with the code of a library before it is loaded.
        options: The connection's.

    Attributes:
        is_changed: It may be in another state than after its login.
        is_spoilt: It may be in one that RESET does not end: its answers are switched off, or it has a library's name.
    """

    db: Any
    username: Any
    password: Any
    before_load: Callable[[str], None]

    def __init__(self, *, before_load: Callable[[str], None], **options: Any) -> None:
        super().__init__(**options)
        self.before_load = before_load
        self.is_changed = True  # By connecting.
        self.is_spoilt = False

    def adopt(self, lease: RedisLease) -> None:
        """Be a connection of another lease: where it connects anew, and what it is told of libraries."""
        self.db, self.before_load = lease.database_index, lease.libraries.before_load
        self.is_changed = False
        self.username, self.password = lease.client_user or None, lease.password

    def shut_down(self) -> None:
        """End what another thread is doing with the connection; that thread closes it, as one that the server ends."""
        if open_socket := getattr(self, "_sock", None):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def pack_own(self, commands: Iterable[Any]) -> Any:
        """Return commands of the fixtures' own, which are not checked, as the server reads them."""
        return super().pack_commands(commands)  # type: ignore[misc]

    def send_command(self, *args: Any, **options: Any) -> Any:
        self._check(args)
        self._note(args)
        # Most commands are of other lengths.
        command = _text(args[0]).upper() if args and len(args[0]) in _LENGTHS else ""
        if command == "MONITOR":  # Whose answer no client of ours reads: redis-py's own class does.
            raise NoPermissionError("MONITOR would show what other tests do: a client of REDIS_URL may")
        if command == "RESET":
            raise self._reset_refused()
        return super().send_command(*args, **options)  # type: ignore[misc]

    def pack_command(self, *args: Any) -> Any:
        self._note(args)
        return super().pack_command(*args)  # type: ignore[misc]

    def send_packed_command(self, command: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(command, list):  # Packed by hand.
            self.is_spoilt = True
        return super().send_packed_command(command, *args, **options)  # type: ignore[misc]

    def _note(self, command: Any) -> None:
        if not (command and isinstance(command[0], str) and command[0] in PLAIN):
            self.is_changed = True
            self.is_spoilt = self.is_spoilt or tuple(_words(command)[:2]) in _SPOILING

    def pack_commands(self, commands: Iterable[Any]) -> Any:
        commands = list(commands)
        for command in commands:
            self._check(command)
            self._note(command)
            if command and _text(command[0]).upper() == "RESET":
                raise self._reset_refused()
        return super().pack_commands(commands)  # type: ignore[misc]

    def _check(self, args: Any) -> None:
        # Most commands are neither; they must not pay for more than this.
        if args and args[0][:1] in _INITIALS:
            words = _words(args)
            if words[:1] == ["copy"]:
                self._check_copy(args)
            elif tuple(words[:2]) == _LOAD:
                self.before_load(_text(args[-1]))

    def _reset_refused(self) -> NoPermissionError:
        return NoPermissionError(f"it would end the login, and select index 0 in place of {self.db}")

    def _check_copy(self, args: Any) -> None:
        options = [_text(part).lower() for part in args[3:]]
        for word, value in itertools.pairwise(options):
            if word == "db" and value != str(self.db):
                raise NoPermissionError(f"refused by isolated_redis itself, whose database index is {self.db}")


_LENGTHS = (len("RESET"), len("MONITOR"))
_INITIALS = ("C", "c", b"C", b"c", "F", "f", b"F", b"f")


class _FullGuard(_Guard):
    def _check(self, args: Any) -> None:
        super()._check(args)
        words = _words(args)
        command = words[0] if words else ""
        if command in _REFUSED_HERE or "|".join(words[:2]) in _REFUSED_HERE:
            raise NoPermissionError("refused by isolated_redis itself")
        if command == "select" and words[1:] != [str(self.db)]:
            raise NoPermissionError(f"refused by isolated_redis itself, whose database index is {self.db}")


class Connection(_Guard, redis.asyncio.Connection):
    """An asyncio connection with an account that the server confines."""


class SocketConnection(_Guard, redis.asyncio.UnixDomainSocketConnection):
    """`Connection` over a unix socket."""


class GuardedConnection(_FullGuard, redis.asyncio.Connection):
    """An asyncio connection that keeps to its database by itself."""


class ConnectionSync(_Guard, redis.Connection):
    """A blocking connection with an account that the server confines."""


class SocketConnectionSync(_Guard, redis.UnixDomainSocketConnection):
    """`ConnectionSync` over a unix socket."""


class GuardedConnectionSync(_FullGuard, redis.Connection):
    """A blocking connection that keeps to its database by itself."""


def _words(args: Any) -> list[str]:
    """Return the first words of a command; clients give a subcommand with it or after it."""
    return " ".join(_text(part) for part in args[:2]).lower().split()


def _text(part: Any) -> str:
    return part.decode(errors="replace") if isinstance(part, bytes) else str(part)
