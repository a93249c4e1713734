"""Comparisons of rows with dictionaries: a mock's row is a dictionary, a driver's is a record."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.handles import ASYNCPG
from realservices.mocks.convert.queries import queries_of

if TYPE_CHECKING:
    from realservices.mocks.convert.queries import Query
    from realservices.mocks.convert.test_plan import TestPlan


def plan_records(plan: TestPlan) -> None:
    """Have assertions compare records as dictionaries, and no columns that the mock did not have."""
    if plan.handle is None or plan.handle.style != ASYNCPG:
        return
    queries = [query for query in queries_of(plan.calls) if query.fetch in ("fetchrow", "fetch")]
    for node in ast.walk(plan.reading.test):
        is_open = isinstance(node, ast.Assert) and node.lineno not in plan.checked
        if is_open and isinstance(node, ast.Assert) and (text := _compared(node, plan, queries)):
            plan.check(node.lineno, [text])


def _compared(node: ast.Assert, plan: TestPlan, queries: list[Query]) -> str:
    test = node.test
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return ""
    result, expected = test.left, test.comparators[0]
    line = _assigned_at(result, plan)
    chosen = [query for query in queries if query.line == line]
    if not isinstance(result, ast.Name) or not chosen:
        return ""
    query = chosen[-1]
    table = plan.schema.table(query.statement.table)
    gives_more = "*" in (*query.statement.columns, *query.statement.returning) and table is not None
    shown, wanted = ast.unparse(result), ast.unparse(expected)
    keys = _keys(expected, plan)
    if keys is None or not (query.is_returned or gives_more):
        return ""
    narrowed = gives_more and table is not None and set(keys) != set(table.columns)
    if query.fetch == "fetchrow":
        return f"assert dict({shown}) | {wanted} == dict({shown})" if narrowed else f"assert dict({shown}) == {wanted}"
    if narrowed:
        pairs = ", ".join(f'"{key}": row["{key}"]' for key in keys)
        return f"assert [{{{pairs}}} for row in {shown}] == {wanted}"
    return f"assert [dict(row) for row in {shown}] == {wanted}" if query.is_returned else ""


def _assigned_at(result: ast.expr, plan: TestPlan) -> int:
    for node in ast.walk(plan.reading.test):
        if isinstance(node, ast.Assign) and isinstance(result, ast.Name) and ast.unparse(node.targets[0]) == result.id:
            return node.value.value.lineno if isinstance(node.value, ast.Await) else node.value.lineno
    return 0


def _keys(expected: ast.expr, plan: TestPlan) -> list[str] | None:
    if isinstance(expected, ast.Name):
        for node in ast.walk(plan.reading.test):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == expected.id:
                return _keys(node.value, plan)
        return None
    if isinstance(expected, ast.List) and expected.elts:
        return _keys(expected.elts[0], plan)
    if isinstance(expected, ast.Dict) and all(isinstance(key, ast.Constant) for key in expected.keys):
        return [str(key.value) for key in expected.keys if isinstance(key, ast.Constant)]
    return None
