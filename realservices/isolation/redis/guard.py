"""The guard in the client, for servers without accounts of our own: Redis before 7, or one where we may make none.

It stands where a connection takes commands: one by one, or packed together by a pipeline. It protects from
accidents by the fixtures' own clients; a client that code under test makes from the URL is not its business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.exceptions import NoPermissionError

if TYPE_CHECKING:
    from collections.abc import Iterable

# What reaches beyond one database. "config|set" names a subcommand. RESET would go to number 0.
REFUSED = (
    *("flushall", "swapdb", "move", "shutdown", "debug", "monitor", "replicaof", "slaveof", "failover", "migrate"),
    *("config|set", "config|rewrite", "config|resetstat", "client|kill", "client|pause", "client|unpause"),
    *("acl|setuser", "acl|deluser", "acl|load", "acl|save", "script|flush", "script|kill"),
    *("function|flush", "function|delete", "function|restore", "function|kill"),
)
_REFUSED_HERE = frozenset((*REFUSED, "reset"))


class _Guard:
    db: Any

    def send_command(self, *args: Any, **options: Any) -> Any:
        _check(args, self.db)
        return super().send_command(*args, **options)  # type: ignore[misc]

    def pack_commands(self, commands: Iterable[Any]) -> Any:
        commands = list(commands)
        for command in commands:
            _check(command, self.db)
        return super().pack_commands(commands)  # type: ignore[misc]


class GuardedConnection(_Guard, redis.asyncio.Connection):
    """An asyncio connection that keeps to its number."""


class GuardedConnectionSync(_Guard, redis.Connection):
    """A blocking connection that keeps to its number."""


def _check(args: Any, number: int) -> None:
    words = " ".join(_text(part) for part in args[:2]).lower().split()
    command = words[0] if words else ""
    if command in _REFUSED_HERE or "|".join(words[:2]) in _REFUSED_HERE:
        raise NoPermissionError("refused by isolated_redis itself")
    if command == "select" and words[1:] != [str(number)]:
        raise NoPermissionError(f"refused by isolated_redis itself, whose number is {number}")


def _text(part: Any) -> str:
    return part.decode(errors="replace") if isinstance(part, bytes) else str(part)
