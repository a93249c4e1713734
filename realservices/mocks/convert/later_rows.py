"""Rows that come later: for a statement that gives the first row of an order, one that the order must put behind it.

It is inserted before the wanted one, and is like it in all that WHERE compares: only ORDER BY tells them apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.mocks.convert.column_values import is_time, other_value
from realservices.mocks.convert.ordering import gives_first, later_value, order_of
from realservices.mocks.convert.row_plan import Row
from realservices.mocks.convert.second_rows import is_counted, unique_columns

if TYPE_CHECKING:
    from realservices.mocks.convert.database_schema import Table
    from realservices.mocks.convert.queries import Query
    from realservices.mocks.convert.test_plan import TestPlan

LATER = "  # Must come later."
_NUMBER = 1002
_DAY = "'2026-01-02 00:00:00+00'"


def add_later_rows(plan: TestPlan, queries: list[Query]) -> None:
    """Put a row that comes later before the only one of a table, where one statement asks for the first of an order."""
    rows = plan.rows.rows
    for table in {id(row.table): row.table for row in rows}.values():
        wanted = [row for row in rows if row.table is table and not row.is_second]
        named = [each for each in queries if re.search(rf"\b{re.escape(table.name)}\b", each.statement.text, re.I)]
        if len(wanted) == len(named) == 1 and named[0].statement.table == table.name and not is_counted(table, plan):
            later = _later(table, wanted[0], named[0])
            if later is not None:
                rows.insert(rows.index(wanted[0]), later)


def _later(table: Table, first: Row, query: Query) -> Row | None:
    statement, order = query.statement, order_of(query.statement.text)
    is_plain = not statement.joined and not re.search(r"\b(?:or|not)\b", statement.text, re.I)
    if order is None or not gives_first(query) or not is_plain:
        return None
    name, descends = order
    column, same = table.columns.get(name), {each.column for each in statement.conditions}
    unique = unique_columns(table)
    if column is None or name in same or same & unique or any(each not in first.values for each in same):
        return None
    base = first.values.get(name) or (_DAY if is_time(column) else "2" if column.is_integer else None)
    value = later_value(base, descends=descends) if base is not None else None
    if base is None or value is None:
        return None
    found = {name: value} | {each: first.values[each] for each in same}
    keys = {each for key in table.foreign_keys for each in key.columns}
    for each in table.columns.values():
        if each.name in found or each.is_generated or (each.name in keys and each.name not in unique):
            continue
        if each.name in unique or each.name in first.values or each.must_be_given:
            other = other_value(each, table, _NUMBER, set())
            if other is None and (each.name in unique and each.name in first.values):
                return None
            if other is not None or each.name in first.values:
                found[each.name] = other if other is not None else first.values[each.name]
    found |= {each: first.values[each] for each in keys if each in first.values}
    first.values.setdefault(name, base)
    return Row(table, found, is_second=True, remark=LATER)
