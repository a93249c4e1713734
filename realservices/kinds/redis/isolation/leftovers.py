"""What a test leaves in the whole Redis server, undone after it: settings, accounts, functions, cached scripts.

The accounts of a test may change none of it but load functions and scripts; a client of REDIS_URL may.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import redis

from realservices.isolation.errors import IsolationBrokenError
from realservices.isolation.server_leftovers import ServerLeftovers
from realservices.kinds.redis.isolation.accounts import PREFIX
from realservices.kinds.redis.isolation.administration import Administration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.server_leftovers import State
    from realservices.kinds.redis.isolation.accounts import Command

_OURS = b"user " + PREFIX.encode()
FUNCTION = "function"
"""How the key of a library begins."""
_ACCOUNT, _SETTING, _SCRIPTS = "account", "setting", "scripts"
_NONE = "0"
# A selector of an account has spaces in it.
_RULE = re.compile(r"\([^)]*\)|\S+")


class Leftovers(ServerLeftovers):
    """See `ServerLeftovers`.

    Attributes:
        account_reads: How often all accounts were read: where somebody else than this process has changed one.
        test_accounts: Rules of the accounts that tests have, by name, as they were then.

    Args:
        endpoint: The service.
        directory: What all processes that share it share.
    """

    def __init__(self, endpoint: Endpoint, directory: str) -> None:
        super().__init__(f"{directory}/{endpoint.name}.redis")
        self._endpoint = endpoint
        self._administration = Administration(endpoint)
        self._signs: dict[_Part, Any] = {}
        self._found: dict[_Part, State] = {}
        self._state: State = {}
        self._own = 0  # How often tests' accounts were changed by this process.
        self.account_reads = 0
        self.test_accounts: dict[str, str] = {}

    def look(self) -> State:
        """See `ServerLeftovers`."""
        return self.state(*self._administration.call(LOOK))

    def state(self, counts: bytes) -> State:
        """Return what there is; a part is only read where it may have changed. Raises what `look` raises.

        Args:
            counts: The answer to `LOOK`.
        """
        server, calls = _RUN.findall(counts), {name: int(number) for name, number in _CALLS.findall(counts)}
        signs = {part: (server, sum(calls.get(each, 0) for each in part.changing)) for part in _PARTS}
        signs[_ACCOUNTS] = server, signs[_ACCOUNTS][1] - self._own
        changed = [part for part in _PARTS if self._signs.get(part) != signs[part] or _RESET in calls]
        if changed:
            answers = self._administration.call(*(part.command for part in changed))
            self._found |= {part: part.read(answer) for part, answer in zip(changed, answers, strict=True)}
            self._state = {key: value for found in self._found.values() for key, value in found.items()}
            self._signs = signs
            if _ACCOUNTS in changed:
                self.account_reads += 1
                self.test_accounts = _rules_of_ours(answers[changed.index(_ACCOUNTS)])
        return self._state

    def expect(self, commands: Iterable[Command]) -> None:
        """Be told of commands that this process has sent for its tests' accounts."""
        self._own += sum(command[0] == "ACL" and command[1] in ("SETUSER", "DELUSER") for command in commands)

    def undo(self, before: State, now: State) -> None:
        """See `ServerLeftovers`."""
        refused = []
        for key in sorted({*before, *now}):
            if before.get(key) != now.get(key) and (command := _way_back(key, before.get(key))):
                try:
                    self._administration.call(command)
                except redis.ResponseError as error:
                    refused.append(f"{key} ({error})")
        if refused:
            raise IsolationBrokenError(
                f"tests have changed {', '.join(refused)} of Redis service {self._endpoint.name!r} "
                f"({self._endpoint.label}), and it cannot be brought back; later tests find it changed. A test that "
                "uses REDIS_URL has to undo this itself"
            )

    def close(self) -> None:
        """Disconnect."""
        self._administration.close()


def _way_back(key: str, value: str | None) -> tuple[Any, ...] | None:
    """Return the command that brings something back to a value, None: to its absence. None: there is none."""
    kind, _, name = key.partition(" ")
    if kind == _SCRIPTS:  # Which scripts there are the server does not tell: those of a fixture must stay.
        return ("SCRIPT", "FLUSH") if value == _NONE else None
    if kind == _SETTING and name in ("replicaof", "slaveof"):
        return "REPLICAOF", *((value or "").split() or ("NO", "ONE"))
    if kind == _SETTING:
        return "CONFIG", "SET", name, value or ""
    if kind == FUNCTION:
        return ("FUNCTION", "DELETE", name) if value is None else ("FUNCTION", "LOAD", "REPLACE", value)
    return ("ACL", "DELUSER", name) if value is None else ("ACL", "SETUSER", name, "reset", *_RULE.findall(value))


def _functions(libraries: list[list[Any]]) -> State:
    found = [dict(zip(library[::2], library[1::2], strict=True)) for library in libraries]
    return {f"{FUNCTION} {_text(each[b'library_name'])}": _text(each[b"library_code"]) for each in found}


def _accounts(lines: list[bytes]) -> State:
    others = [_text(line).split(" ", 2)[1:] for line in lines if not line.startswith(_OURS)]  # user NAME RULES
    return {f"{_ACCOUNT} {name}": rules for name, rules in others}


def _rules_of_ours(lines: list[bytes]) -> dict[str, str]:
    """Return the rules of tests' accounts, without the passwords."""
    ours = [_text(line).split(" ")[1:] for line in lines if line.startswith(_OURS)]
    return {name: " ".join(word for word in words if not word.startswith("#")) for name, *words in ours}


def _settings(pairs: list[bytes]) -> State:
    return {f"{_SETTING} {_text(n)}": _text(value) for n, value in zip(pairs[::2], pairs[1::2], strict=True)}


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


def _scripts(told: bytes) -> State:
    return {_SCRIPTS: _CACHED.findall(told)[0].decode()}


class _Part(NamedTuple):
    """A part of what there is, the command that tells of it, and those that may change it."""

    read: Callable[[Any], State]
    command: Command
    changing: tuple[bytes, ...]


LOOK = ("INFO", "server", "commandstats")
"""The command whose answer tells how often each other command was called: reading all that there is takes 1 ms."""
_LIBRARIES = b"function|load", b"function|delete", b"function|flush", b"function|restore"
_ACCOUNTS = _Part(_accounts, ("ACL", "LIST"), (b"acl|setuser", b"acl|deluser", b"acl|load"))
_PARTS = (
    _Part(_settings, ("CONFIG", "GET", "*"), (b"config|set", b"replicaof", b"slaveof")),
    _Part(_scripts, ("INFO", "memory"), (b"eval", b"eval_ro", b"script|load", b"script|flush")),
    _Part(_functions, ("FUNCTION", "LIST", "WITHCODE"), _LIBRARIES),
    _ACCOUNTS,
)
# Begins all counts anew, so that they say nothing any more.
_RESET = b"config|resetstat"
_COUNTED = b"|".join(re.escape(each) for each in (_RESET, *(each for part in _PARTS for each in part.changing)))
_CALLS = re.compile(rb"\ncmdstat_(%b):calls=(\d+)" % _COUNTED)
_RUN = re.compile(rb"\nrun_id:(\w+)")
_CACHED = re.compile(rb"\nnumber_of_cached_scripts:(\d+)")
