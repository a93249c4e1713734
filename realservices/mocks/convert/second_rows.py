"""Second rows: for each table that the code searches, one that its WHERE must not find.

With the wanted row alone in its table, a test does not notice when the code finds any row. A second one is inserted
before it only where it is certain that no statement finds or counts it; everywhere else the table stays as it is.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from realservices.mocks.convert.column_values import other_value
from realservices.mocks.convert.queries import SENDERS, queries_of
from realservices.mocks.convert.row_plan import Row, quoted
from realservices.mocks.convert.sql_text import where_of

if TYPE_CHECKING:
    from realservices.mocks.convert.database_schema import ForeignKey, Table
    from realservices.mocks.convert.queries import Query
    from realservices.mocks.convert.test_plan import TestPlan

NUMBER = 1001
"""What the values of second rows are made of: far from the numbers that sequences and tests begin with."""
REMARK = "  # Must not be found."


def add_second_rows(plan: TestPlan) -> None:
    """Put a second row before the first one of each table, and into those that the mock has no row of."""
    rows = plan.rows.rows
    queries = queries_of(plan.calls)
    if _has_unknown_statement(plan):
        return
    for table in {id(row.table): row.table for row in rows}.values():
        searched = _searched(table, queries)
        if not searched or is_counted(table, plan):
            continue
        first = next(row for row in rows if row.table is table)
        values = _values(table, first, searched, plan, queries)
        if values is not None:
            rows.insert(rows.index(first), Row(table, values, is_second=True, remark=REMARK))
    for name in sorted(plan.absent):
        table_of = plan.schema.table(name)
        if table_of is None or any(row.table is table_of for row in rows):
            continue
        searched = _searched(table_of, queries)
        values = _values(table_of, Row(table_of, {}), searched, plan, queries) if searched else None
        if values is not None and not is_counted(table_of, plan):
            rows.append(Row(table_of, values, is_second=True, remark=REMARK))


def _has_unknown_statement(plan: TestPlan) -> bool:
    """Return whether the code sends something that is not known, and so may read any table."""
    return any(call.method in SENDERS and call.node.args and call.statement is None for call in plan.calls)


def is_counted(table: Table, plan: TestPlan) -> bool:
    """Return whether an assertion counts all rows of a table."""
    count = " ".join(["SELECT count(*) FROM", quoted(table.name)])
    lines = (line for each in plan.checked.values() for line in each)
    return any(count in line and f"{count} WHERE" not in line for line in lines)


def _searched(table: Table, queries: list[Query]) -> dict[str, set[object]]:
    """Return the columns that statements compare, with the values; nothing where one may find other rows, too."""
    found: dict[str, set[object]] = {}
    for query in queries:
        if not re.search(rf"\b{re.escape(table.name)}\b", query.statement.text, re.I):
            continue
        if query.statement.verb == "insert" and "select" not in query.statement.text.lower():
            continue
        compared = _compared(query, table) if query.statement.table == table.name else {}
        if not compared:
            return {}
        for name, value in compared.items():
            found.setdefault(name, set()).add(value)
    return found


def _compared(query: Query, table: Table) -> dict[str, object]:
    """Return what a plain WHERE, of comparisons joined by AND, compares with known constants."""
    statement = query.statement
    where = where_of(statement.text)
    words = re.findall(r"\b(?:select|union|from|using)\b", statement.text, re.I)
    if statement.joined or re.search(r"[()]|\b(?:not|or)\b", where, re.I) or len(words) > 2:
        return {}
    found: dict[str, object] = {}
    for condition in statement.conditions:
        value = query.value(condition.value) if condition.operator == "=" else None
        node = ast.parse(value, mode="eval").body if value is not None else None
        if condition.operator == "=" and (not isinstance(node, ast.Constant) or condition.column not in table.columns):
            return {}
        if isinstance(node, ast.Constant):
            found[condition.column] = node.value
    return found


def _values(
    table: Table, first: Row, searched: dict[str, set[object]], plan: TestPlan, queries: list[Query]
) -> dict[str, str] | None:
    """Return the values of the second row, None where the table may not accept it."""
    different = {*searched, *unique_columns(table)}
    found: dict[str, str] = {}
    for column in table.columns.values():
        name, key = column.name, _key(table, column.name)
        if column.is_generated or not (name in different or name in first.values or column.must_be_given):
            continue
        other = other_value(column, table, NUMBER, searched.get(name, set()))
        if name in different:
            if other is None or (key is not None and not _accepts_parent(key, plan, queries)):
                return None
            found[name] = other
        elif key is None and other is not None:
            found[name] = other
        elif name in first.values:
            found[name] = first.values[name]
    return found


def unique_columns(table: Table) -> set[str]:
    """Return the columns of which no two rows have the same."""
    named = {name for name in table.columns for text in table.unlike if re.search(rf"\b{re.escape(name)}\b", text)}
    return named.union(*table.unique)


def _key(table: Table, name: str) -> ForeignKey | None:
    return next((key for key in table.foreign_keys if name in key.columns), None)


def _accepts_parent(key: ForeignKey, plan: TestPlan, queries: list[Query]) -> bool:
    """Return whether one more row, to which the second one refers, disturbs nothing in the parent's table."""
    parent = plan.schema.table(key.parent)
    if parent is None or parent.foreign_keys or is_counted(parent, plan):
        return False
    named = [query for query in queries if re.search(rf"\b{re.escape(parent.name)}\b", query.statement.text, re.I)]
    by_key = all({*key.parent_columns} <= _compared(query, parent).keys() for query in named)
    return len(key.columns) == 1 and by_key and not parent.unlike
