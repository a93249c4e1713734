"""Answers of a mocked Redis become keys that are set first."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.expressions import source_of
from realservices.mocks.convert.failing_clients import client_of_redis
from realservices.mocks.convert.handles import as_written, quoted
from realservices.mocks.convert.mock_paths import CALLED, ENTERED, Fact, Kind
from realservices.mocks.convert.raising_mocks import plan_failure
from realservices.mocks.convert.redis_commands import COMMANDS
from realservices.mocks.convert.redis_pipeline import STEPS, pipeline_answers

if TYPE_CHECKING:
    from realservices.mocks.convert.redis_plan import Client
    from realservices.mocks.convert.service_calls import ServiceCall
    from realservices.mocks.convert.test_facts import Mock
    from realservices.mocks.convert.test_plan import TestPlan

_SILENT = {
    "ping", "close", "aclose", "flushdb", "set", "setex", "hset", "hmset", "lpush", "rpush", "sadd", "zadd",
    "expire", "mset", "psetex", "publish", "connection_pool", "persist",
}  # fmt: skip
_WRITES = {
    "set", "setex", "setnx", "psetex", "getset", "append", "hset", "hmset", "hdel", "lpush", "rpush", "lpop", "rpop",
    "sadd", "srem", "zadd", "zrem", "zincrby", "incrby", "incr", "decr", "decrby", "delete", "unlink", "getdel",
}  # fmt: skip


class Seeds:
    """The keys of a test.

    Args:
        mock: The mock that answered with them.
        plan: What is filled.
        client: The real client.
        calls: What the code under test does.

    Attributes:
        held: What is set, by key.
    """

    def __init__(self, mock: Mock, plan: TestPlan, client: Client, calls: list[ServiceCall]) -> None:
        self._mock, self._plan, self._client, self._calls = mock, plan, client, calls
        self.held: dict[str, str] = {}

    def add(self) -> None:
        """Have the keys set."""
        for fact in self._mock.facts:
            words = [word for word in fact.path if word not in (CALLED, ENTERED)]
            word = words[-1] if words else ""
            if word == "execute" and fact.kind is Kind.RETURNS and "pipeline" in words:
                self._add_pipeline(fact)
                continue
            if word in STEPS and fact.kind is not Kind.EFFECT:
                continue
            is_asked = any(call.method == word for call in self._calls) or any(
                word in each.path for each in self._mock.checks
            )
            if not word or (self._calls and not is_asked):
                continue  # Nothing in the code asks for this answer.
            if fact.kind is Kind.EFFECT and not (isinstance(fact.value, ast.Constant) and fact.value.value is None):
                self._add_sequence(fact, word)
            elif word not in COMMANDS and word not in _SILENT:
                raise Unconvertible(fact.line, word, "no command of Redis that a conversion knows", "convert by hand")
            elif word not in _SILENT:
                self._check_first(fact, word)
                self._add_answer(fact.value, word, fact.line, self._arguments(word))

    def _add_pipeline(self, fact: Fact) -> None:
        """Have each command of a pipeline find its own answer."""
        for call, value in pipeline_answers(fact, self._plan.calls):
            if call.method not in _SILENT:
                self._check_first(fact, call.method)
                self._add_answer(value, call.method, fact.line, call.arguments)

    def _check_first(self, fact: Fact, word: str) -> None:
        """Raise for a read behind the code's own write of the same key: what is put there first is not its answer."""
        written: set[str] = set()
        for call in self._calls:
            key = source_of(call.arguments[0]) if call.arguments else None
            if key is not None and call.method == word and word not in _WRITES and key in written:
                why = f"the code writes {key} itself before it reads it, so the mock's answer is none of Redis"
                raise Unconvertible(fact.line, word, why, "drop the answer and assert what the code's own write gives")
            if key is not None and call.method in _WRITES:
                written.add(key)

    def _add_sequence(self, fact: Fact, word: str) -> None:
        calls = [call for call in self._calls if call.method == word]
        if isinstance(fact.value, ast.List | ast.Tuple) and len(calls) == len(fact.value.elts):
            keys = [source_of(call.arguments[0]) if call.arguments else None for call in calls]
            if None not in keys and len(set(keys)) == len(keys):
                for call, value in zip(calls, fact.value.elts, strict=True):
                    self._add_answer(value, word, fact.line, call.arguments)
                return
        plan_failure(self._mock, fact, word, client_of_redis(COMMANDS), self._plan)

    def _arguments(self, word: str) -> list[ast.expr]:
        for check in self._mock.checks:
            if word in check.path and check.arguments:
                return list(check.arguments)
        return next((call.arguments for call in self._calls if call.method == word), [])

    def _key(self, word: str, arguments: list[ast.expr], line: int) -> str:
        key = source_of(arguments[0]) if arguments else None
        if key is None:
            why = "the key cannot be told: it is not asserted, and the code that makes it was not found"
            raise Unconvertible(line, word, why, "set the key by hand")
        return as_written(key)

    def _add_answer(self, value: ast.expr, word: str, line: int, arguments: list[ast.expr]) -> None:
        constant = value.value if isinstance(value, ast.Constant) else ...
        if constant in (None, False, 0) or (isinstance(value, ast.List | ast.Dict | ast.Tuple) and not _items(value)):
            return
        if word in ("get", "getdel", "getset") or word in ("incr", "incrby", "decr", "decrby"):
            self._add_text(value, word, line, arguments)
        elif word in ("exists", "delete", "unlink"):
            for argument in arguments or [ast.Constant(None)]:
                self._set(self._key(word, [argument] if arguments else [], line), "1", quoted("1"), is_made_up=True)
        elif word == "ttl":
            key = self._key(word, arguments, line)
            self._plan.seeds.append(self._client.call(f'set({key}, "1", ex={ast.unparse(value)})'))
        elif word == "mget" and isinstance(value, ast.List):
            self._add_many(value, line, arguments)
        else:
            self._add_structure(value, word, line, arguments)

    def _add_text(self, value: ast.expr, word: str, line: int, arguments: list[ast.expr]) -> None:
        key = self._key(word, arguments, line)
        if word.startswith(("incr", "decr")):
            if not isinstance(value, ast.Constant) or not isinstance(value.value, int):
                raise Unconvertible(line, word, "the number is no constant", "set the key by hand")
            given = arguments[1].value if len(arguments) > 1 and isinstance(arguments[1], ast.Constant) else 1
            step = given if isinstance(given, int) else 1
            before = value.value - step if word.startswith("incr") else value.value + step
            if before:
                self._set(key, str(before), str(before))
            return
        if self._client.is_bytes and isinstance(value, ast.Constant) and isinstance(value.value, int):
            why = f"the code decodes what it gets, and the mock gives {value.value}, which Redis never does"
            raise Unconvertible(line, word, why, "give the mock's answer as bytes: the test hides a difference")
        self._set(key, ast.unparse(value), as_written(ast.unparse(value)))

    def _set(self, key: str, value: str, shown: str, *, is_made_up: bool = False) -> None:
        if key in self.held and is_made_up:
            return
        self.held[key] = value
        self._plan.seeds.append(self._client.call(f"set({key}, {shown})"))

    def _add_many(self, value: ast.List, line: int, arguments: list[ast.expr]) -> None:
        keys = list(arguments[0].elts) if len(arguments) == 1 and isinstance(arguments[0], ast.List) else arguments
        if len(keys) != len(value.elts):
            raise Unconvertible(line, "mget", "the keys cannot be told", "set the keys by hand")
        for key, each in zip(keys, value.elts, strict=True):
            self._add_answer(each, "get", line, [key])

    def _add_structure(self, value: ast.expr, word: str, line: int, arguments: list[ast.expr]) -> None:
        given = as_written(ast.unparse(value))
        if word in ("keys", "scan_iter"):
            for each in _items(value):
                self._set(as_written(ast.unparse(each)), "1", quoted("1"), is_made_up=True)
            return
        key = self._key(word, arguments, line)
        second = source_of(arguments[1]) if len(arguments) > 1 else None
        member = as_written(second or "")
        command = {
            "hgetall": f"hset({key}, mapping={given})",
            "lrange": f"rpush({key}, *{given})",
            "smembers": f"sadd({key}, *{given})",
            "hget": f"hset({key}, {member}, {given})",
            "lpop": f"lpush({key}, {given})",
            "rpop": f"rpush({key}, {given})",
            "sismember": f"sadd({key}, {member})",
            "zscore": f"zadd({key}, {{{member}: {given}}})",
            "hexists": f'hset({key}, {member}, "1")',
            "llen": f'rpush({key}, *["x"] * {given})',
            "scard": f"sadd({key}, *range({given}))",
        }.get(word)
        if command is None or (second is None and word in ("hget", "sismember", "zscore", "hexists")):
            raise Unconvertible(
                line, word, "it cannot be told what must be in Redis for this answer", "set the key by hand"
            )
        self.held[key] = ""
        self._plan.seeds.append(self._client.call(command))


def _items(value: ast.expr) -> list[ast.expr]:
    if isinstance(value, ast.Dict):
        return list(value.values)
    return list(value.elts) if isinstance(value, ast.List | ast.Tuple | ast.Set) else []
