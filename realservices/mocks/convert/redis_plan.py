"""Redis: answers of a mock become keys that are set first, assertions on it become reads of what must be there."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.mock_paths import CALLED, ENTERED
from realservices.mocks.convert.redis_checks import RedisChecks
from realservices.mocks.convert.redis_commands import COMMANDS
from realservices.mocks.convert.redis_pipeline import executions
from realservices.mocks.convert.redis_seeds import Seeds

if TYPE_CHECKING:
    from realservices.mocks.convert.service_calls import ServiceCall
    from realservices.mocks.convert.test_facts import Mock
    from realservices.mocks.convert.test_plan import TestPlan

_CONSTRUCTORS = {"Redis", "StrictRedis", "from_url", "AsyncRedis", "get_redis", "get_redis_client", "get_client"}
_GIVER = "give_redis"


def plan_redis(mock: Mock, plan: TestPlan) -> None:
    """Fill the plan of a test for one mock of Redis.

    Raises:
        Unconvertible: What the mock answers, or is asked, has no counterpart.
    """
    plan.services.add("redis")
    calls = [call for call in plan.calls if call.method in COMMANDS and call.statement is None]
    client = _place(mock, plan, calls)
    seeds = Seeds(mock, plan, client, calls)
    seeds.add()
    if not plan.faults:
        RedisChecks(mock, plan, client, calls, seeds.held).add()


class Client:
    """The real client in a test.

    Args:
        name: What the test calls it.
        is_async: Whether it is awaited.
    """

    def __init__(self, name: str, *, is_async: bool) -> None:
        self.name, self.is_async = name, is_async
        self.is_bytes = "bytes" in name

    def call(self, text: str) -> str:
        """Return a command as an expression."""
        return f"{'await ' if self.is_async else ''}{self.name}.{text}"


def _place(mock: Mock, plan: TestPlan, calls: list[ServiceCall]) -> Client:
    is_async = (
        any(call.is_awaited for call in (*calls, *executions(plan.calls))) if calls else mock.is_async or plan.is_async
    )
    if is_async and not plan.is_async:
        raise Unconvertible(
            mock.line, mock.name, "the code is asynchronous and the test is not", "make the test a coroutine"
        )
    decode = not any(_has_bytes(fact.value) for fact in mock.facts) and not any(
        ".decode(" in _text(call) for call in plan.calls
    )
    fixture = "isolated_redis" + ("" if decode else "_bytes") + ("" if is_async else "_sync")
    name = plan.take(fixture)
    plan.put(mock, name)
    if mock.target:
        _seam(mock, plan, name)
    elif any(fact.path[:1] in ((CALLED,), (ENTERED,)) for fact in mock.facts):
        raise Unconvertible(mock.line, mock.name, "the mock is a function that gives a client", "hand over a function")
    return Client(name, is_async=is_async)


def _seam(mock: Mock, plan: TestPlan, name: str) -> None:
    last = mock.target.rpartition(".")[2]
    heads = {fact.path[:2] for fact in mock.facts} | {check.path[:2] for check in mock.checks}
    if last in COMMANDS and last not in _CONSTRUCTORS:
        raise Unconvertible(mock.line, mock.target, "one method of the client is replaced", "replace the client itself")
    gives = any(head[:1] == (CALLED,) for head in heads) or last in _CONSTRUCTORS
    plan.check_seam(mock, gives_client=gives)
    if gives:
        if mock.is_async and not any(head[:1] == (CALLED,) and ENTERED in head for head in heads):
            plan.setup.append(f"async def {_GIVER}(*_, **__):\n    return {name}")
            plan.replace_target(mock.target, _GIVER)
            return
        given = name
        if any(head == (CALLED, ENTERED) for head in heads):
            plan.imports.add("import contextlib")
            given = f"contextlib.nullcontext({name})"
        plan.replace_target(mock.target, f"lambda *_, **__: {given}")
    else:
        plan.replace_target(mock.target, name)


def _has_bytes(value: ast.expr) -> bool:
    return any(
        (isinstance(node, ast.Constant) and isinstance(node.value, bytes))
        or (isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".encode", "pickle.dumps")))
        for node in ast.walk(value)
    )


def _text(call: ServiceCall) -> str:
    return f"{call.receiver}.{call.method}("
