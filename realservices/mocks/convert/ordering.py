"""Answers of statements with ORDER BY: they are inserted the other way round, and a row that comes later is put first.

In the order in which they were inserted, a test would not notice an ORDER BY that is dropped or turned round.
"""

from __future__ import annotations

import ast
import datetime
import re
from typing import TYPE_CHECKING, Any

from realservices.mocks.convert.conversion_results import Unconvertible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.mocks.convert.queries import Query

_ORDER = re.compile(
    r'\border by\s+(?:\w+\.)?"?(\w+)"?(?:\s+(asc|desc))?\s*(?=\b(?:limit|offset|for|fetch)\b|$)', re.I
)  # fmt: skip
_ONE = {"fetchrow", "fetchval", "fetchone", "scalar", "first"}


def order_of(text: str) -> tuple[str, bool] | None:
    """Return the only column of a statement's ORDER BY, and whether it descends; None for all others."""
    found = _ORDER.search(text)
    return (found[1], (found[2] or "").lower() == "desc") if found else None


def gives_first(query: Query) -> bool:
    """Return whether a statement with ORDER BY gives the first of its rows only."""
    has_limit = re.search(r"\blimit 1\b", query.statement.text, re.I)
    return query.statement.verb == "select" and (query.fetch in _ONE or bool(has_limit))


def other_way_round(
    rows: Sequence[ast.expr], cells: Sequence[ast.expr | None], *, descends: bool, column: str, line: int
) -> list[ast.expr]:
    """Return rows in the order in which they are to be inserted.

    Args:
        rows: As the mock answers them.
        cells: The values of the column that they are ordered by, None where they have none.
        descends: Whether the greatest comes first.
        column: The column.
        line: Of the mock's answer.

    Raises:
        Unconvertible: The mock answers in another order than the statement's.
    """
    values: list[Any] = [each.value for each in cells if isinstance(each, ast.Constant)]
    kinds = {type(each) for each in values}
    if len(values) != len(rows) or len(rows) < 2 or kinds not in ({int}, {str}, {float}, {int, float}):
        return list(rows)
    if kinds == {str} and not all(str(each).isascii() and str(each).islower() for each in values):
        return list(rows)  # How other letters are ordered is the database's own.
    if sorted(values, reverse=descends) != values:
        shown = ", ".join(map(str, values))
        raise Unconvertible(
            line, f"{column}: {shown}", f"the mock answers in another order than the statement's ORDER BY {column}",
            "give the mock's answers the statement's order: the test hides a difference",
        )  # fmt: skip
    return list(reversed(rows))


def later_value(value: str, *, descends: bool) -> str | None:
    """Return a value that comes after another one, None where that cannot be told."""
    node = ast.parse(value, mode="eval").body
    held = node.value if isinstance(node, ast.Constant) else None
    if isinstance(held, str):
        return _day_after(held, -1 if descends else 1)
    if isinstance(held, bool) or not isinstance(held, int):
        return None
    return str(held - 1 if descends else held + 1)


def _day_after(text: str, days: int) -> str | None:
    try:
        return repr(str(datetime.datetime.fromisoformat(text) + datetime.timedelta(days=days)))
    except ValueError:
        return None


def order_in(node: ast.AST) -> tuple[str, bool] | None:
    """Return the only attribute of an `order_by(…)` in a query of SQLAlchemy, and whether it descends."""
    for call in (each for each in ast.walk(node) if isinstance(each, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "order_by":
            return _attribute(call.args[0]) if len(call.args) == 1 else None
    return None


def _attribute(node: ast.expr) -> tuple[str, bool] | None:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr, False
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2].lstrip("?")
        inner = (
            node.func.value if isinstance(node.func, ast.Attribute) and not node.args else next(iter(node.args), None)
        )
        found = _attribute(inner) if inner is not None and name in ("asc", "desc") else None
        return (found[0], name == "desc") if found is not None else None
    return None
