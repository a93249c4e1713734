"""The statements that code under test sends, with their arguments and how their result is fetched."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.mocks.convert.expressions import source_of, text_of
from realservices.mocks.convert.sql_text import literal_of, parse_sql, placeholder_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.mocks.convert.service_calls import ServiceCall
    from realservices.mocks.convert.sql_text import Statement

FETCHES = {
    "fetchrow", "fetchval", "fetch", "fetchone", "fetchall", "fetchmany", "scalar", "scalar_one",
    "scalar_one_or_none", "first", "one", "one_or_none", "all", "scalars", "mappings",
}  # fmt: skip
SENDERS = {
    "execute",
    "executemany",
    "fetchrow",
    "fetchval",
    "fetch",
    "fetchmany",
    "cursor",
    "stream",
    "scalar",
    "scalars",
}
_UNKNOWN = object()


@dataclass(slots=True)
class Query:
    """A statement that is sent.

    Attributes:
        method: By which method.
        statement: What it says.
        positional: Arguments for $1, $2, ….
        named: Arguments by name.
        fetch: The method that gets its rows, "" where none does.
        is_returned: The test gets the result of that as it is.
        line: Of the test.
        is_awaited: It is sent with `await`.
    """

    method: str
    statement: Statement
    positional: list[ast.expr] = field(default_factory=list)
    named: dict[str, ast.expr] = field(default_factory=dict)
    fetch: str = ""
    is_returned: bool = False
    line: int = 0
    is_awaited: bool = False

    def value(self, text: str) -> str | None:
        """Return what a value of the statement is for the test, as Python's text; None where that cannot be told."""
        place = placeholder_of(text)
        if isinstance(place, int):
            return source_of(self.positional[place]) if place < len(self.positional) else None
        if isinstance(place, str):
            return source_of(self.named.get(place))
        return literal_of(text)

    def wanted(self) -> dict[str, str]:
        """Return the columns that WHERE compares with something known."""
        found = {}
        for condition in self.statement.conditions:
            if condition.operator in ("=", ">=", "<="):
                value = self.value(condition.value)
                if value is not None:
                    found[condition.column] = value
            elif condition.operator == "is" and condition.value.lower() in ("true", "false"):
                found[condition.column] = condition.value.capitalize()
        return found

    def unknown(self) -> list[str]:
        """Return the columns that WHERE compares with something that cannot be told."""
        compared = [each for each in self.statement.conditions if each.operator == "="]
        return [each.column for each in compared if self.value(each.value) is None]

    def written(self) -> dict[str, str]:
        """Return the columns that are written, with values that are known."""
        pairs = zip(self.statement.columns, self.statement.values, strict=False)
        return {name: value for name, text in pairs if (value := self.value(text)) is not None}


def queries_of(calls: Iterable[ServiceCall]) -> list[Query]:
    """Return the statements in the order in which they are sent."""
    found: list[Query] = []
    for call in calls:
        if call.statement is not None and call.method in SENDERS:
            found.append(_query(call))
        elif call.method in FETCHES and found and call.statement is None and not found[-1].fetch:
            found[-1].fetch = call.method
            found[-1].is_returned = call.is_returned
    return found


def query_of(sql: str, arguments: list[ast.expr], line: int) -> Query | None:
    """Return the statement that an assertion on a mock names."""
    statement = parse_sql(sql)
    if statement is None:
        return None
    query = Query("execute", statement, line=line)
    _take_arguments(query, arguments)
    return query


def _query(call: ServiceCall) -> Query:
    statement = call.statement
    if statement is None:
        raise AssertionError
    fetch = call.method if call.method in FETCHES else ""
    query = Query(
        call.method, statement, fetch=fetch, is_returned=call.is_returned, line=call.line, is_awaited=call.is_awaited
    )
    if call.method == "executemany":
        return query  # Its argument has many rows: none is the statement's own.
    _take_arguments(query, call.arguments)
    query.named |= call.keywords
    return query


def _take_arguments(query: Query, arguments: list[ast.expr]) -> None:
    """Sort arguments: asyncpg has each by itself, others one tuple, list or dictionary."""
    if not arguments:
        return
    first = arguments[0]
    if len(arguments) == 1 and isinstance(first, ast.Tuple | ast.List) and "$" in query.statement.text:
        query.positional = list(first.elts)
    elif len(arguments) == 1 and isinstance(first, ast.Dict):
        for key, value in zip(first.keys, first.values, strict=True):
            if (name := text_of(key)) is not None:
                query.named[name] = value
    else:
        query.positional = list(arguments)
