"""A row of an answer in the plan of a test: its table, its columns, what its statement says of it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.expressions import are_constant
from realservices.mocks.convert.handles import Handle
from realservices.mocks.convert.queries import Query

if TYPE_CHECKING:
    from realservices.mocks.convert.database_schema import Table
    from realservices.mocks.convert.test_plan import TestPlan


class PostgresRows:
    """Puts rows into a plan.

    Args:
        plan: What is filled.
    """

    def __init__(self, plan: TestPlan) -> None:
        self._plan = plan

    def _add(self, query: Query | None, table: Table, values: dict[str, str], line: int) -> None:
        if query is not None:
            for name, wanted in query.wanted().items():
                if name not in table.columns:
                    continue
                if name not in values:
                    values[name] = wanted
                elif values[name] != wanted and are_constant(values[name], wanted) and query.statement.verb == "select":
                    why = f"the mock answers {name}={values[name]} where the code asks for {name}={wanted}"
                    raise Unconvertible(
                        line, f"{name}={values[name]}", why, "give the mock's answer and the test the same value"
                    )
            if query.statement.verb == "update":
                written = query.written()
                values = {name: each for name, each in values.items() if name not in written or name in query.wanted()}
        self._plan.rows.add(table, values, line)

    def _positional(self, query: Query, value: ast.Tuple | ast.List, line: int) -> dict[str, ast.expr]:
        statement = query.statement
        names = list(statement.returning if statement.is_write else statement.columns)
        table = self._plan.schema.table(statement.table)
        if names == ["*"] and table is not None:
            names = list(table.columns)
        if statement.is_count or statement.is_exists:
            raise Unconvertible(line, ast.unparse(value), "a count in a row", "convert by hand")
        if len(names) != len(value.elts) or not names:
            why = f"the mock answers with {len(value.elts)} columns where the statement gives {len(names)}"
            raise Unconvertible(line, ast.unparse(value), why, "give the mock's answer the statement's columns")
        return dict(zip(names, value.elts, strict=True))

    def _add_generated(self, query: Query, table: Table, row: dict[str, ast.expr]) -> None:
        """Have the sequence give the number that the test expects of an INSERT."""
        for name, value in row.items():
            column = table.columns.get(name)
            if column is None or not column.has_sequence or name in query.statement.columns:
                continue
            if isinstance(value, ast.Constant) and isinstance(value.value, int) and self._plan.mentions(value):
                handle = self._plan.handle or Handle("", "")
                sql = f"SELECT setval(pg_get_serial_sequence('{table.name}', '{name}'), {value.value}, false)"
                self._plan.setup.append(handle.execute(sql, ()))
                self._plan.setup += handle.commit()

    def _table(self, query: Query | None, row: dict[str, ast.expr], line: int) -> Table:
        if query is not None and query.statement.table:
            table = self._plan.schema.table(query.statement.table)
            if table is None:
                raise Unconvertible(
                    line, query.statement.table, "the code uses a table that the migrations do not make",
                    "add its migration, or correct the statement: the test hides a difference",
                )  # fmt: skip
            return table
        fitting = self._plan.schema.with_columns(row)
        if len(fitting) != 1:
            names = ", ".join(table.name for table in fitting) or "none"
            why = f"the statement was not found, and the tables with the columns {', '.join(row)} are: {names}"
            raise Unconvertible(line, ", ".join(row), why, "insert the row by hand")
        return fitting[0]
