"""Rows that nothing answers with, and that must be there: those that the code changes, and those that rows refer to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.mocks.convert.queries import Query
    from realservices.mocks.convert.test_plan import TestPlan


class Touched:
    """The rows of a test that its code changes or refers to.

    Args:
        plan: What is filled.
        queries: The statements that the code sends.
        absent: Tables and conditions for which the mock says that there is no row.
        is_found: Whether statements that change rows find one.
    """

    def __init__(
        self, plan: TestPlan, queries: Sequence[Query], absent: Sequence[tuple[str, dict[str, str]]], *, is_found: bool
    ) -> None:
        self._plan, self._queries, self._absent, self._found = plan, queries, absent, is_found

    def add_touched(self) -> None:
        """Insert the rows that the code changes or removes: without them an assertion on that says nothing."""
        if not self._found:
            self._plan.absent |= {each.statement.table for each in self._queries if each.statement.verb != "insert"}
        for query in self._queries if self._found else ():
            statement = query.statement
            table = self._plan.schema.table(statement.table)
            if statement.verb in ("update", "delete") and table is not None and not query.unknown() and query.wanted():
                known = {name: value for name, value in query.wanted().items() if name in table.columns}
                if (statement.table, known) in self._absent:
                    continue
                self._plan.rows.add(table, known, query.line)

    def check_lowered(self) -> None:
        """Raise where the code lowers a number, `stock = stock - $1`, of which the test does not say what it is."""
        for query in self._queries:
            statement = query.statement
            pairs = zip(statement.columns, statement.values, strict=False) if statement.verb == "update" else ()
            lowered = [name for name, text in pairs if re.match(rf'"?{re.escape(name)}"?\s*-', text)]
            for row in self._plan.rows.rows:
                missing = [name for name in lowered if name not in row.values]
                if row.table.name == statement.table and missing:
                    why = f"the code lowers {missing[0]}, and nothing tells what it is before"
                    raise Unconvertible(query.line, missing[0], why, "insert the row by hand")

    def add_parents(self) -> None:
        """Insert what the rows refer to that the code inserts itself."""
        for query in self._queries:
            table = self._plan.schema.table(query.statement.table) if query.statement.verb == "insert" else None
            known = query.written()
            for key in table.foreign_keys if table is not None else ():
                parent = self._plan.schema.table(key.parent)
                pairs = zip(key.columns, key.parent_columns, strict=True)
                wanted = {theirs: known[ours] for ours, theirs in pairs if known.get(ours, "None") != "None"}
                is_absent = any(name == key.parent and wanted == values for name, values in self._absent)
                if parent is not None and len(wanted) == len(key.columns) and not is_absent:
                    self._plan.rows.add(parent, wanted, query.line)
