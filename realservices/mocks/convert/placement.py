"""Where in a test the rows and keys come that must be there: before the statement that calls the code under test."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.mocks.convert.test_facts import FunctionEdits
    from realservices.mocks.convert.test_plan import TestPlan


def act_line(plan: TestPlan) -> int | None:
    """Return the line of the statement that seeds come before, None for the beginning of the test."""
    test = plan.reading.test
    edits = plan.reading.edit(test)
    told = max((fact.line for mock in plan.reading.mocks for fact in mock.facts if _within(fact.line, test)), default=0)
    lines = [check.line for mock in plan.reading.mocks for check in mock.checks]
    called = plan.first_call_line()
    first = min((line for line in (*lines, called) if line is not None and line > told), default=None)
    if called is not None and called >= told and first is not None:
        return _holding(test.body, min(first, called), edits)
    return _behind(test.body, told, edits) if told else None


def _within(line: int, test: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return test.body[0].lineno <= line <= (test.end_lineno or line)


def _holding(body: Sequence[ast.stmt], line: int, edits: FunctionEdits) -> int | None:
    for statement in body:
        if statement.lineno <= line <= (statement.end_lineno or line):
            if isinstance(statement, ast.With | ast.AsyncWith) and _is_unwrapped(statement, edits):
                return _holding(statement.body, line, edits) or statement.lineno
            return statement.lineno
    return None


def _behind(body: Sequence[ast.stmt], line: int, edits: FunctionEdits) -> int | None:
    for statement in body:
        if isinstance(statement, ast.With | ast.AsyncWith) and _is_unwrapped(statement, edits):
            found = _behind(statement.body, line, edits)
            if found is not None:
                return found
        elif statement.lineno > line:
            return statement.lineno
    return None


def _is_unwrapped(statement: ast.With | ast.AsyncWith, edits: FunctionEdits) -> bool:
    return all((statement.lineno, number) in edits.unwrapped for number in range(len(statement.items)))
