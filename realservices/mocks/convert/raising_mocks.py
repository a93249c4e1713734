"""A mock that raises what a lost server gives: the real service is stopped, or paused, before the code is called.

Nothing is guessed: the failure must come at the code's first word to the service, and what the real client raises
must reach the same handler of the code, or the test's own `pytest.raises`, as the mock's exception does.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.caught import first_catching, kinds_of, short_name
from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.project_modules import full_name
from realservices.mocks.convert.service_calls import ServiceCall
from realservices.mocks.convert.test_facts import Check, Mock

if TYPE_CHECKING:
    from realservices.mocks.convert.failing_clients import Client
    from realservices.mocks.convert.mock_paths import Fact
    from realservices.mocks.convert.test_plan import TestPlan

_GONE = {
    "ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError",
    "OSError", "InterfaceError", "OperationalError", "ConnectionDoesNotExistError", "PostgresConnectionError",
    "CannotConnectNowError", "AdminShutdownError", "AdminShutdown", "RedisError", "SQLAlchemyError", "DBAPIError",
    "DatabaseError", "Error", "Exception", "DisconnectionError",
}  # fmt: skip
_ABOUT_DATA = ("Violation", "ViolationError", "IntegrityError", "DataError", "UniqueError")
_DEADLINES = ("asyncio.wait_for", "asyncio.timeout", "async_timeout.timeout", "anyio.fail_after")
_LONGEST_S = 5
_CACHES = ("redis", "cache")
_HAND = "keep the mock for this one test, or convert it by hand"


def plan_failure(mock: Mock, fact: Fact, word: str, client: Client, plan: TestPlan) -> None:
    """Have the real service fail where a mock raises.

    Args:
        mock: The mock.
        fact: That it raises, and what.
        word: The method that raises.
        client: What stands for the mock.
        plan: What is filled.

    Raises:
        Unconvertible: It is no failure of a service, or the real one comes out elsewhere.
    """
    _Failure(mock, fact, word, client, plan).add()


class _Failure:
    def __init__(self, mock: Mock, fact: Fact, word: str, client: Client, plan: TestPlan) -> None:
        self._mock, self._fact, self._word, self._client, self._plan = mock, fact, word, client, plan
        self._what = f"{word}.side_effect = {ast.unparse(fact.value)}"[:70]
        self._raised = self._exception()

    def add(self) -> None:
        name = self._plan.service_names.get(self._client.kind, "")
        action, real = self._action(name)
        call = self._first_word()
        place, met = first_catching(self._raised, call.caught), first_catching(real, call.caught)
        if place != met and (place is not None or met is not None):
            handled = " and ".join((call.caught[place] if place is not None else call.caught[met or 0])[:2])
            raise self._refusal(
                f"the code handles {handled}, and the real client raises {real or 'what its driver does'} where the "
                f"mock raises {self._raised}: the test hides a difference",
                "have the code handle what its client raises",
            )
        if met is None:
            self._expect(call, real)
        else:
            self._check_rest(call, met)
        for check in self._mock.checks:
            self._plan.note_gone(
                check, f"that {_word(check)} was {check.word} leaves no trace in a service that is gone"
            )
        fixture = self._plan.take("service_control" if self._plan.is_async else "service_control_sync")
        line = f"{'await ' if self._plan.is_async else ''}{fixture}.{action}({name!r})".replace("'", '"')
        if line not in self._plan.faults:
            self._plan.faults.append(line)

    def _exception(self) -> str:
        value = self._fact.value
        node = value.func if isinstance(value, ast.Call) else value
        modules = (self._plan.module, *(each.module for each in self._plan.reading.fixtures))
        name = next((full for each in modules if (full := full_name(node, each.imports)) != ast.unparse(node)), "")
        return short_name(name or ast.unparse(node))

    def _action(self, name: str) -> tuple[str, str]:
        """Return what is done to the service, and what the real client raises then."""
        last = self._raised.rpartition(".")[2]
        control = "service_control" if self._plan.is_async else "service_control_sync"
        if isinstance(self._fact.value, ast.List | ast.Tuple | ast.Lambda | ast.Name) and not _is_exception(last):
            raise self._refusal(
                "the mock fails, or answers by a function or differently each time",
                f"use the fixture {control} to have the service fail, or keep the mock for this one test",
            )
        if last.endswith(_ABOUT_DATA):
            raise self._refusal("the statement is refused for its data", "insert the row that it collides with")
        if not name:
            raise self._refusal("the project declares no such service", "declare it (`python -m realservices init`)")
        if last == "TimeoutError":
            self._check_deadline(name, control)
            return "pause", "TimeoutError"
        if last not in _GONE:
            raise self._refusal(
                f"no server that is gone makes a client raise {self._raised}",
                f'name the failure that is meant; a lost server is {control}.stop("{name}")',
            )
        return "stop", self._client.raises

    def _check_deadline(self, name: str, control: str) -> None:
        wait = "await " if self._plan.is_async else ""
        for call in self._plan.calls:
            if f"{call.receiver}.{call.method}" in _DEADLINES:
                given = [*call.node.args[-1:], *call.keywords.values()][-1:]
                limit = given[0].value if given and isinstance(given[0], ast.Constant) else None
                if isinstance(limit, int | float) and limit <= _LONGEST_S:
                    return
        raise self._refusal(
            f"the service is to be slow, and the code has no deadline of its own up to {_LONGEST_S} s",
            f'give the client a time limit (socket_timeout, command_timeout), then {wait}{control}.pause("{name}")',
        )

    def _first_word(self) -> ServiceCall:
        """Return the call at which the code finds that the service is gone."""
        calls = self._plan.calls
        named = [at for at, call in enumerate(calls) if call.method == self._word]
        if not named:
            raise self._refusal("the call that fails was not found in the code", _HAND)
        spoken = [at for at, call in enumerate(calls) if self._speaks(call, calls[named[0]])]
        at = spoken[0] if spoken else named[0]
        if at < named[0] or (at > named[0] and calls[at].caught != calls[named[0]].caught):
            why = f"the code asks for {calls[at].method!r} first, which a service that is gone does not answer"
            raise self._refusal(why, _HAND)
        lines = [fact.line for fact in self._mock.facts if self._is_in_test(fact.line)]
        if any(line > calls[named[0]].line for line in lines) or len({calls[each].line for each in spoken}) > 1:
            raise self._refusal("the service is to fail for a part of the test only", f"write its steps, and {_HAND}")
        return calls[at]

    def _speaks(self, call: ServiceCall, failing: ServiceCall) -> bool:
        if self._client.kind == "redis":
            return call.method in self._client.speaks and call.receiver == failing.receiver
        is_other = any(word in call.receiver.lower() for word in _CACHES)
        return call.statement is not None or (call.method in self._client.speaks and not is_other)

    def _is_in_test(self, line: int) -> bool:
        test = self._plan.reading.test
        return test.lineno <= line <= (test.end_lineno or line)

    def _check_rest(self, first: ServiceCall, handler: int) -> None:
        """Raise where the code asks the service again behind the handler, and does not handle that."""
        calls, around = self._plan.calls, first.caught[handler:]
        for call in calls[calls.index(first) + 1 :]:
            fails = self._speaks(call, first) or call.method in self._client.ends
            is_passed_over = call.caught[-len(around) :] == around
            if fails and not is_passed_over and first_catching(self._client.raises, call.caught) is None:
                why = f"after the failure the code calls {call.method!r}, which fails, too, when the service is gone"
                raise self._refusal(why, "have the code handle that: the test hides a difference")

    def _expect(self, call: ServiceCall, real: str) -> None:
        """Have the test expect what the real client raises."""
        for item in _items(self._plan.reading.test, call.line):
            expected = item.args[0] if item.args else None
            names = expected.elts if isinstance(expected, ast.Tuple) else [expected] if expected is not None else []
            known = {short_name(full_name(each, self._plan.module.imports)) for each in names}
            if not (known & kinds_of(self._raised)):
                continue
            is_met = bool(known & kinds_of(real))
            if is_met and len(item.keywords) == 0:
                return
            shown = ast.unparse(expected) if is_met and expected is not None else self._client.expression
            shown = "TimeoutError" if real == "TimeoutError" and not is_met else shown
            if not shown:
                raise self._refusal("what the real client raises depends on its connection", _HAND)
            edits = self._plan.reading.edit(self._plan.reading.test)
            edits.calls[item.lineno, item.col_offset] = f"{ast.unparse(item.func)}({shown})"
            if self._client.line and not is_met:
                self._plan.imports.add(self._client.line)
            if item.keywords:
                self._plan.note(f"line {item.lineno}: the real failure has another message; the pattern is gone")
            return
        raise self._refusal("the code does not handle it, and the test does not expect it", _HAND)

    def _refusal(self, why: str, remedy: str) -> Unconvertible:
        return Unconvertible(self._fact.line, self._what, why, remedy)


def _word(check: Check) -> str:
    return repr(check.path[-1]) if check.path else "it"


def _is_exception(name: str) -> bool:
    return name.endswith(("Error", "Exception", "Timeout", "Violation", "Shutdown")) or name == "Exception"


def _items(test: ast.AST, line: int) -> list[ast.Call]:
    """Return the calls of `pytest.raises` and `assertRaises` that hold a line, the innermost first."""
    found: list[ast.Call] = []
    for node in ast.walk(test):
        if isinstance(node, ast.With | ast.AsyncWith) and node.lineno <= line <= (node.end_lineno or line):
            calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
            found = [call for call in calls if ast.unparse(call.func).endswith(("raises", "assertRaises"))] + found
    return found
