"""Assertions on a mock of Redis become reads of what must be there."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.expressions import UNKNOWN, source_of
from realservices.mocks.convert.handles import as_written, quoted
from realservices.mocks.convert.mock_paths import CALLED, ENTERED
from realservices.mocks.convert.redis_pipeline import STEPS, pipeline_commands

if TYPE_CHECKING:
    from realservices.mocks.convert.redis_plan import Client
    from realservices.mocks.convert.service_calls import ServiceCall
    from realservices.mocks.convert.test_facts import Check, Mock
    from realservices.mocks.convert.test_plan import TestPlan

_READS = {
    "get", "exists", "hget", "hgetall", "ttl", "lrange", "llen", "smembers", "sismember", "scard", "zrange",
    "zscore", "mget", "keys", "scan_iter", "ping", "close", "aclose", "hmget", "hexists", "zcard", "strlen",
}  # fmt: skip
_REMOVES = {"delete", "unlink", "getdel"}
# What stands at which place of a command's arguments, behind the key.
_PLACES = {
    "set": ("value", "ex", "px", "nx"), "setex": ("time", "value"), "psetex": ("milliseconds",
    "value"), "setnx": ("value",),
    "hset": ("key", "value",
    "mapping"), "expire": ("time",), "incrby": ("amount",), "decrby": ("amount",), "hdel": ("key",),
    "append": ("value",), "hmset": ("mapping",),
}  # fmt: skip
_HAND = "read what must be there by hand"


class RedisChecks:
    """The assertions of a test on one mock.

    Args:
        mock: The mock.
        plan: What is filled.
        client: The real client.
        calls: What the code under test does.
        held: Keys that are set first, with their values.
    """

    def __init__(
        self, mock: Mock, plan: TestPlan, client: Client, calls: list[ServiceCall], held: dict[str, str]
    ) -> None:
        self._mock, self._plan, self._client, self._calls, self._held = mock, plan, client, calls, held

    def add(self) -> None:
        """Put a statement in place of each."""
        for check in self._mock.checks:
            words = [word for word in check.path if word not in (CALLED, ENTERED)]
            word = words[-1] if words else ""
            if word in STEPS and check.word == "called":
                self._plan.check(check.line, self._sent(check))
            elif not word or word in _READS or word in STEPS:
                what = f"{word!r} was {check.word}" if word else "the client was made"
                self._plan.note_gone(check, f"that {what} leaves no trace in Redis")
            elif check.word == "not called":
                self._plan.check(check.line, self._untouched(word))
            else:
                self._plan.check(
                    check.line, [line for each in self._asked(word, check) for line in self._done(word, each, check)]
                )

    def _sent(self, check: Check) -> list[str]:
        """Return what tells that a pipeline was sent: what its commands leave."""
        lines: list[str] = []
        for call in pipeline_commands(self._plan.calls):
            if call.method not in _READS:
                lines += self._done(call.method, _named(call.method, call.arguments, call.keywords), check)
        if not lines:
            self._plan.note_gone(check, "that a pipeline was made leaves no trace in Redis")
        return lines

    def _asked(self, word: str, check: Check) -> list[dict[str, ast.expr]]:
        """Return the arguments by name: those that are asserted, else those of the code."""
        found = [_named(word, call.arguments, call.keywords) for call in self._calls if call.method == word]
        if check.arguments is not None:
            asked = _named(word, list(check.arguments), check.keywords)
            open_ones = [name for name, node in asked.items() if ast.unparse(node) == UNKNOWN]
            known = found[0] if len(found) == 1 else {}
            kept = {name: node for name, node in asked.items() if name not in open_ones}
            return [kept | {name: known[name] for name in open_ones if name in known}]
        if not found:
            raise Unconvertible(check.line, word, "the command that the code sends was not found", _HAND)
        return found

    def _key(self, arguments: dict[str, ast.expr], word: str, check: Check) -> str:
        key = source_of(arguments.get("name"))
        if key is None:
            raise Unconvertible(check.line, word, "the key cannot be told", _HAND)
        return as_written(key)

    def _untouched(self, word: str) -> list[str]:
        calls = [call for call in self._calls if call.method == word and call.arguments]
        key = source_of(calls[0].arguments[0]) if calls else None
        if key is None:
            return [f"assert {self._client.call('dbsize()')} == {len(self._held)}"]
        key = as_written(key)
        if word == "expire" and key in self._held:
            return [f"assert {self._client.call(f'ttl({key})')} == -1"]
        if key not in self._held:
            return [f"assert not {self._client.call(f'exists({key})')}"]
        value = self._held[key]
        return [self._equals(f"get({key})", value)] if value else [f"assert {self._client.call(f'exists({key})')}"]

    def _done(self, word: str, arguments: dict[str, ast.expr], check: Check) -> list[str]:
        if word in (
            "mset",
            "zadd",
            "lpush",
            "rpush",
            "sadd",
            "srem",
            "publish",
            "pipeline",
            "zrem",
            "lpop",
            "rpop",
            "zincrby",
        ):
            return self._members(word, arguments, check)
        key = self._key(arguments, word, check)
        value = source_of(arguments.get("value"))
        if check.looks and value is None and not isinstance(arguments.get("mapping"), ast.Dict):
            self._plan.note_gone(check, f"what {word!r} wrote cannot be told")
        lines: list[str] = []
        if word in _REMOVES:
            extra = [source_of(each) for name, each in arguments.items() if name.startswith("more")]
            return [
                f"assert not {self._client.call(f'exists({each})')}"
                for each in (key, *map(as_written, filter(None, extra)))
            ]
        if word in ("set", "setex", "psetex", "setnx", "getset"):
            lines.append(self._equals(f"get({key})", value) if value else self._there(key))
        elif word in ("hset", "hmset"):
            lines += self._fields(key, arguments, value)
        elif word == "hdel":
            field = source_of(arguments.get("key"))
            lines.append(
                f"assert not {self._client.call(f'hexists({key}, {as_written(field)})')}" if field else self._there(key)
            )
        elif word in ("incr", "incrby", "decr", "decrby", "hincrby", "append"):
            lines += self._number(word, key, arguments, check)
        elif word == "persist":
            lines.append(f"assert {self._client.call(f'ttl({key})')} == -1")
        elif word != "expire":
            raise Unconvertible(check.line, word, "it cannot be told what this leaves in Redis", _HAND)
        return lines + self._expiry(word, key, arguments)

    def _there(self, key: str) -> str:
        return f"assert {self._client.call(f'exists({key})')}"

    def _fields(self, key: str, arguments: dict[str, ast.expr], value: str | None) -> list[str]:
        field, mapping = source_of(arguments.get("key")), arguments.get("mapping")
        if isinstance(mapping, ast.Dict) and all(mapping.keys):
            pairs = [
                (source_of(each), source_of(held)) for each, held in zip(mapping.keys, mapping.values, strict=True)
            ]
            return [self._equals(f"hget({key}, {as_written(name)})", held) for name, held in pairs if name and held]
        if field and value:
            return [self._equals(f"hget({key}, {as_written(field)})", value)]
        return [self._there(key)]

    def _number(self, word: str, key: str, arguments: dict[str, ast.expr], check: Check) -> list[str]:
        amount = arguments.get("amount") or ast.Constant(1)
        before = self._held.get(key, "0")
        if word in ("hincrby", "append") or not isinstance(amount, ast.Constant) or not before.lstrip("-").isdigit():
            return [self._there(key)]
        step = int(str(amount.value)) * (check.times or 1)
        after = int(before) + (step if word.startswith("incr") else -step)
        return [self._equals(f"get({key})", repr(str(after)))]

    def _expiry(self, word: str, key: str, arguments: dict[str, ast.expr]) -> list[str]:
        if word not in ("set", "setex", "expire", "psetex"):
            return []
        seconds = source_of(arguments.get("ex") or arguments.get("time"))
        if seconds is not None and "timedelta" not in seconds:
            return [f"assert 0 < {self._client.call(f'ttl({key})')} <= {seconds}"]
        has_expiry = any(name in arguments for name in ("ex", "px", "time", "milliseconds"))
        return [f"assert {self._client.call(f'ttl({key})')} > 0"] if has_expiry else []

    def _members(self, word: str, arguments: dict[str, ast.expr], check: Check) -> list[str]:
        if word in ("publish", "pipeline", "lpop", "rpop", "zincrby"):
            why = (
                "a message that was published leaves no trace"
                if word == "publish"
                else "it leaves nothing that names it"
            )
            raise Unconvertible(
                check.line, word, why, "subscribe before the code runs, or read what it leaves, by hand"
            )
        if word == "mset":
            mapping = arguments.get("name")
            pairs = list(zip(mapping.keys, mapping.values, strict=True)) if isinstance(mapping, ast.Dict) else []
            known = [(source_of(key), source_of(value)) for key, value in pairs]
            if not known or any(None in pair for pair in known):
                raise Unconvertible(check.line, word, "the keys cannot be told", _HAND)
            return [self._equals(f"get({as_written(key or '')})", value or "") for key, value in known]
        key = self._key(arguments, word, check)
        values = [
            each for each in (source_of(node) for name, node in arguments.items() if name.startswith("more")) if each
        ]
        if word == "zadd":
            mapping = arguments.get("more0")
            values = [each for each in map(source_of, mapping.keys) if each] if isinstance(mapping, ast.Dict) else []
            return [
                f"assert {self._client.call(f'zscore({key}, {as_written(each)})')} is not None" for each in values
            ] or [self._there(key)]
        if word in ("sadd", "srem"):
            negated = "not " if word == "srem" else ""
            return [
                f"assert {negated}{self._client.call(f'sismember({key}, {as_written(each)})')}" for each in values
            ] or [self._there(key)]
        if word == "zrem":
            return [f"assert {self._client.call(f'zscore({key}, {as_written(each)})')} is None" for each in values]
        return [f"assert {self._text(each)} in {self._client.call(f'lrange({key}, 0, -1)')}" for each in values] or [
            self._there(key)
        ]

    def _equals(self, command: str, value: str) -> str:
        return f"assert {self._client.call(command)} == {self._text(value)}"

    def _text(self, value: str) -> str:
        """Return what Redis gives back for a value: texts only."""
        node = ast.parse(value, mode="eval").body
        if isinstance(node, ast.Constant):
            held = node.value
            if self._client.is_bytes:
                return repr(held if isinstance(held, bytes) else str(held).encode())
            return quoted(held.decode() if isinstance(held, bytes) else str(held))
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.dumps", "str")
        ):
            return f"{value}.encode()" if self._client.is_bytes else value
        return value if self._client.is_bytes or isinstance(node, ast.Name | ast.Attribute) else f"str({value})"


def _named(word: str, arguments: list[ast.expr], keywords: dict[str, ast.expr]) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    if arguments:
        found["name"] = arguments[0]
    places = _PLACES.get(word, ())
    for number, argument in enumerate(arguments[1:]):
        found[places[number] if number < len(places) else f"more{number}"] = argument
    return found | keywords
