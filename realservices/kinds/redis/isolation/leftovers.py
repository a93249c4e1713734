"""What a test leaves in the whole Redis server, undone after it: settings, accounts, functions, cached scripts.

The accounts of a test may change none of it but load functions and scripts; a client of REDIS_URL may.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import redis

from realservices.isolation.errors import IsolationBrokenError
from realservices.isolation.server_leftovers import ServerLeftovers
from realservices.kinds.redis.isolation.administration import Administration

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.isolation.server_leftovers import State

ACCOUNT_PREFIX = "realservices-"
"""How the names of our own accounts begin."""
LOOKS = (("FUNCTION", "LIST", "WITHCODE"), ("ACL", "LIST"), ("INFO", "server", "memory", "commandstats"))
"""Commands whose answers tell what there is."""
_OURS = b"user " + ACCOUNT_PREFIX.encode()
_FUNCTION, _ACCOUNT, _SETTING, _SCRIPTS = "function", "account", "setting", "scripts"
_NONE = "0"
# Reading all settings takes 0.6 ms; the server counts who may have changed one.
_COUNTS = (b"\nrun_id:", b"\ncmdstat_config|set:calls=", b"\ncmdstat_config|resetstat:calls=")
_CACHED = b"\nnumber_of_cached_scripts:"
_NUMBER = re.compile(rb"\w+")
# A selector of an account has spaces in it.
_RULE = re.compile(r"\([^)]*\)|\S+")


class Leftovers(ServerLeftovers):
    """See `ServerLeftovers`.

    Args:
        endpoint: The service.
        directory: What all processes that share it share.
    """

    def __init__(self, endpoint: Endpoint, directory: str) -> None:
        super().__init__(f"{directory}/{endpoint.name}.redis")
        self._endpoint = endpoint
        self._administration = Administration(endpoint)
        self._settings: State = {}
        self._count: list[bytes] | None = None

    def look(self) -> State:
        """See `ServerLeftovers`."""
        return self.state(self._administration.call(*LOOKS))

    def state(self, answers: list[Any]) -> State:
        """Return what there is, by the answers of `LOOKS`. Raises what `look` raises."""
        libraries, accounts, told = answers
        count = [_after(told, name) for name in _COUNTS]
        if count != self._count:
            self._settings = _settings(self._administration.call(("CONFIG", "GET", "*"))[0])
            self._count = count
        scripts = {_SCRIPTS: _after(told, _CACHED).decode()}
        return {**self._settings, **scripts, **_functions(libraries), **_accounts(accounts)}

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
    if kind == _SETTING:
        return "CONFIG", "SET", name, value or ""
    if kind == _FUNCTION:
        return ("FUNCTION", "DELETE", name) if value is None else ("FUNCTION", "LOAD", "REPLACE", value)
    return ("ACL", "DELUSER", name) if value is None else ("ACL", "SETUSER", name, "reset", *_RULE.findall(value))


def _after(told: bytes, name: bytes) -> bytes:
    """Return the number behind a name; 0 where it is not mentioned."""
    at = told.find(name)
    return _NUMBER.match(told, at + len(name))[0] if at >= 0 else b"0"  # type: ignore[index]


def _functions(libraries: list[list[Any]]) -> State:
    found = [dict(zip(library[::2], library[1::2], strict=True)) for library in libraries]
    return {f"{_FUNCTION} {_text(each[b'library_name'])}": _text(each[b"library_code"]) for each in found}


def _accounts(lines: list[bytes]) -> State:
    others = [_text(line).split(" ", 2)[1:] for line in lines if not line.startswith(_OURS)]  # user NAME RULES
    return {f"{_ACCOUNT} {name}": rules for name, rules in others}


def _settings(pairs: list[bytes]) -> State:
    return {f"{_SETTING} {_text(n)}": _text(value) for n, value in zip(pairs[::2], pairs[1::2], strict=True)}


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")
