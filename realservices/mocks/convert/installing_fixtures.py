"""Autouse fixtures that put mocks in place for all tests: each converted test puts the real object there itself.

The fixture goes when all its tests are converted. Until then it stays for the others: the test's own monkeypatch comes
behind it, and is undone before it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from realservices.mocks.convert.fixture_index import Fixture
    from realservices.mocks.convert.test_facts import Function, Mock
    from realservices.mocks.convert.test_plan import TestPlan


def installs_mock(fixture: Fixture, plan: TestPlan) -> bool:
    """Return whether an autouse fixture of the file puts a mock of a service in place."""
    first, last = _lines(fixture)
    is_own = fixture.module is plan.module and fixture.autouse and not fixture.is_set_up
    return is_own and any(first <= mock.line <= last and mock.target for mock in plan.reading.mocks)


def is_replaced(mock: Mock, test: Function) -> bool:
    """Return whether a test puts something else where a fixture has put a mock: it has been converted."""
    is_own = test.lineno <= mock.line <= (test.end_lineno or mock.line)
    return bool(mock.target) and not is_own and any(mock.target == each for each in _set_by(test))


def _set_by(test: Function) -> Iterator[str]:
    for node in ast.walk(test):
        is_set = isinstance(node, ast.Call) and ast.unparse(node.func) == "monkeypatch.setattr" and node.args
        if is_set and isinstance(node, ast.Call) and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def check_only_installs(fixture: Fixture, plan: TestPlan) -> None:
    """Check that a test loses nothing else when the fixture goes.

    Raises:
        Unconvertible: It does something beside.
    """
    edits = plan.reading.edits.get(fixture.node.lineno)
    handled = edits.removed if edits is not None else set()
    for statement in _leaves(fixture.node.body):
        value = statement.value if isinstance(statement, ast.Expr) else None
        is_plain = isinstance(statement, ast.Return | ast.Pass) or isinstance(value, ast.Yield | ast.Constant)
        installs = {mock.line for mock in plan.reading.mocks}
        if not (is_plain or statement.lineno in handled or statement.lineno in installs or _made(statement, plan)):
            raise Unconvertible(
                statement.lineno, fixture.name, "it installs its mock for all tests, and does something beside",
                "have tests ask for what else it does",
            )  # fmt: skip


def _made(statement: ast.stmt, plan: TestPlan) -> bool:
    """Return whether a statement makes a part of a mock, or puts one in place by `monkeypatch`."""
    value = getattr(statement, "value", None)
    is_set = isinstance(value, ast.Call) and ast.unparse(value.func) == "monkeypatch.setattr"
    return is_set or any(mock.line == statement.lineno for mock in plan.reading.grafted)


def _lines(fixture: Fixture) -> tuple[int, int]:
    first = min([fixture.node.lineno, *(each.lineno for each in fixture.node.decorator_list)])
    return first, fixture.node.end_lineno or fixture.node.lineno


def _leaves(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        inner = [each for name in ("body", "orelse", "finalbody") for each in getattr(statement, name, ())]
        if inner:
            yield from _leaves(inner)
        else:
            yield statement
