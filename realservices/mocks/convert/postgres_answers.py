"""Answers of a mocked database become rows that are inserted first."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.failing_clients import POOL, client_of, connecting_client
from realservices.mocks.convert.mock_paths import CALLED, ENTERED, Fact, Kind
from realservices.mocks.convert.ordering import order_of, other_way_round
from realservices.mocks.convert.postgres_rows import PostgresRows
from realservices.mocks.convert.postgres_touched import Touched
from realservices.mocks.convert.queries import Query
from realservices.mocks.convert.raising_mocks import plan_failure
from realservices.mocks.convert.row_plan import Row, columns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.mocks.convert.database_schema import Table
    from realservices.mocks.convert.test_facts import Mock
    from realservices.mocks.convert.test_plan import TestPlan

_READS = {
    "fetchrow", "fetchval", "fetch", "fetchone", "fetchall", "fetchmany", "scalar", "scalar_one",
    "scalar_one_or_none", "first", "one", "one_or_none", "all",
}  # fmt: skip
_MANY = {"fetch", "fetchall", "fetchmany", "all"}
_SCALARS = {"fetchval", "scalar", "scalar_one", "scalar_one_or_none"}
_SILENT = {
    "commit", "rollback", "close", "release", "transaction", "acquire", "cursor", "autocommit", "executemany",
    "description", "add_listener", "set_type_codec", "is_closed", "closed", "terminate", "is_in_transaction",
    "row_factory",
}  # fmt: skip


class Answers(PostgresRows):
    """The answers of a mock, as rows.

    Args:
        mock: The mock.
        plan: What is filled.
        queries: The statements that the code sends.
    """

    def __init__(self, mock: Mock, plan: TestPlan, queries: list[Query]) -> None:
        super().__init__(plan)
        self._mock, self._queries = mock, queries
        self._found = True
        # Tables and conditions for which the mock says that there is no row.
        self._absent: list[tuple[str, dict[str, str]]] = []

    def add(self) -> None:
        """Add the rows of all that the mock was told."""
        for fact in self._mock.facts:
            word = self._word(fact)
            if fact.path == () and fact.kind is Kind.EFFECT:
                word = self._mock.target.rpartition(".")[2]
            if word in ("", CALLED, ENTERED):
                continue
            if fact.kind is Kind.EFFECT and not isinstance(fact.value, ast.List | ast.Tuple):
                self._fail(fact, word)
            elif word in _READS:
                self._add_reads(fact, word)
            elif word in ("execute", "rowcount"):
                self._add_status(fact)
            elif word not in _SILENT:
                raise Unconvertible(
                    fact.line, word, "it cannot be told what this means for a database", "convert by hand"
                )
        touched = Touched(self._plan, self._queries, self._absent, is_found=self._found)
        touched.add_touched()
        touched.check_lowered()
        touched.add_parents()

    @staticmethod
    def _word(fact: Fact) -> str:
        words = [word for word in fact.path if word not in (CALLED, ENTERED)]
        return words[-1] if words else ""

    def _fail(self, fact: Fact, word: str) -> None:
        if isinstance(fact.value, ast.Constant) and fact.value.value is None:
            return
        handle = self._plan.handle
        style = POOL if handle is None or handle.name == "database_pool" else handle.style
        client = connecting_client(self._mock.target) or client_of(style)
        plan_failure(self._mock, fact, word, client, self._plan)

    def _add_reads(self, fact: Fact, word: str) -> None:
        queries = [each for each in self._queries if each.fetch == word]
        if fact.kind is Kind.EFFECT and isinstance(fact.value, ast.List | ast.Tuple):
            values = list(fact.value.elts)
            if not queries and self._queries:
                return
            if len(queries) != len(values):
                why = f"{len(values)} answers in a row, and {len(queries)} statements were found that get them"
                raise Unconvertible(fact.line, f"{word}.side_effect", why, "insert the rows by hand")
            for query, value in zip(queries, values, strict=True):
                self._add_answer(query, value, word, fact.line)
            return
        if not queries and self._queries:
            return  # Nothing in the code asks for this answer.
        if not queries:
            self._add_answer(None, fact.value, word, fact.line)
        refusals: list[Unconvertible] = []
        for query in queries:
            try:
                self._add_answer(query, fact.value, word, fact.line)
            except Unconvertible as refusal:
                refusals.append(refusal)
        if refusals and len(refusals) == len(queries):
            raise refusals[0]

    def _add_answer(self, query: Query | None, value: ast.expr, word: str, line: int) -> None:
        value = self._known(value)
        if isinstance(value, ast.Constant) and value.value is None:
            if query is not None and query.statement.verb == "select" and not query.statement.table:
                why = f"the mock answers {query.statement.text!r} with nothing, which no database does"
                raise Unconvertible(line, word, why, "keep the mock for this one test, or drop it")
            if query is not None and query.statement.verb == "select":
                self._absent.append((query.statement.table, query.wanted()))
                self._plan.absent.add(query.statement.table)
            return
        if word in _MANY:
            if not isinstance(value, ast.List | ast.Tuple):
                raise Unconvertible(
                    line, ast.unparse(value), "the rows are not written out", "write the rows into the test"
                )
            for each in self._to_insert(query, value.elts, line):
                self._add_row(query, each, line)
        elif word in _SCALARS:
            self._add_scalar(query, value, line)
        else:
            self._add_row(query, value, line)

    def _known(self, value: ast.expr) -> ast.expr:
        """Return what a name was given, where that is a row or a list of rows."""
        if isinstance(value, ast.Name):
            for scope in (self._plan.reading.test, *(each.node for each in self._plan.reading.fixtures)):
                for node in ast.walk(scope):
                    if isinstance(node, ast.Assign) and any(
                        isinstance(target, ast.Name) and target.id == value.id for target in node.targets
                    ):
                        return node.value
            return self._plan.module.constants.get(value.id, value)
        return value

    def _to_insert(self, query: Query | None, answers: Sequence[ast.expr], line: int) -> list[ast.expr]:
        """Return rows in the order of their inserts, which is not that of a statement with ORDER BY."""
        rows = [self._known(each) for each in answers]
        order = order_of(query.statement.text) if query is not None else None
        if query is None or order is None:
            return rows
        cells = [self._cells(query, each).get(order[0]) for each in rows]
        return other_way_round(rows, cells, descends=order[1], column=order[0], line=line)

    @staticmethod
    def _cells(query: Query, row: ast.expr) -> dict[str, ast.expr]:
        if isinstance(row, ast.Tuple | ast.List) and len(row.elts) == len(query.statement.columns):
            return dict(zip(query.statement.columns, row.elts, strict=True))
        return columns_of(row) or {}

    def _add_row(self, query: Query | None, value: ast.expr, line: int) -> None:
        row = columns_of(value)
        single = value.elts if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == 1 else []
        if single and query is not None and (query.statement.is_count or query.statement.is_exists):
            self._add_scalar(query, single[0], line)
            return
        if row is None and isinstance(value, ast.Tuple | ast.List) and query is not None:
            row = self._positional(query, value, line)
        if row is None:
            raise Unconvertible(line, ast.unparse(value), "the row is not written out", "write it as a dictionary")
        table = self._table(query, row, line)
        if query is not None and query.statement.verb == "insert":
            self._add_generated(query, table, row)
            return
        values = {name: ast.unparse(each) for name, each in row.items()}
        if query is not None and query.statement.joined:
            values = {name: each for name, each in values.items() if name in table.columns}
        self._add(query, table, values, line)

    def _add_scalar(self, query: Query | None, value: ast.expr, line: int) -> None:
        if query is None:
            raise Unconvertible(
                line, ast.unparse(value), "the statement that gives this value was not found", "insert the row by hand"
            )
        statement = query.statement
        if statement.verb == "select" and not statement.table:
            return
        table = self._table(query, {}, line)
        if statement.is_count:
            if not isinstance(value, ast.Constant) or not isinstance(value.value, int):
                raise Unconvertible(
                    line, ast.unparse(value), "the number of rows is no constant", "insert the rows by hand"
                )
            for _ in range(value.value):
                self._plan.rows.rows.append(_row(table, query))
        elif statement.is_exists or statement.columns == ("1",):
            if isinstance(value, ast.Constant) and value.value:
                self._add(query, table, {}, line)
        elif any("(" in name for name in statement.columns) and statement.verb == "select":
            raise Unconvertible(
                line, ast.unparse(value), "the database computes this value", "insert rows that give it"
            )
        elif statement.verb == "insert":
            name = statement.returning[0] if statement.returning else ""
            self._add_generated(query, table, {name: value})
        else:
            name = (statement.returning or statement.columns or ("",))[0]
            self._add(query, table, {name: ast.unparse(value)}, line)

    def _add_status(self, fact: Fact) -> None:
        """Insert what an UPDATE or DELETE finds, as `"UPDATE 1"` or a `rowcount` say."""
        value = fact.value
        self._found = True
        if isinstance(value, ast.Name):
            why = "whether a row is found depends on a variable"
            raise Unconvertible(fact.line, value.id, why, "insert the row by hand where it is to be found")
        if isinstance(value, ast.Constant) and isinstance(value.value, int | str):
            self._found = not (str(value.value).endswith(" 0") or value.value == 0)


def _row(table: Table, query: Query) -> Row:
    return Row(table, {name: value for name, value in query.wanted().items() if name in table.columns})
