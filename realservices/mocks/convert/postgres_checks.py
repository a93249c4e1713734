"""Assertions on a mock of a database become queries of what must be there."""

from __future__ import annotations

import ast
import dataclasses
import re
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.expressions import UNKNOWN, text_of
from realservices.mocks.convert.handles import ASYNCPG_SYNC, PSYCOPG, PSYCOPG2, Handle, as_written
from realservices.mocks.convert.mock_paths import CALLED, ENTERED
from realservices.mocks.convert.queries import Query, queries_of, query_of
from realservices.mocks.convert.row_plan import quoted
from realservices.mocks.convert.test_plan import TODO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.convert.database_schema import Table
    from realservices.mocks.convert.test_facts import Check, Mock
    from realservices.mocks.convert.test_plan import TestPlan

_SENDS = {"execute", "executemany"}
_COMPARED = {"smallint", "integer", "bigint", "text", "character varying", "boolean", "uuid", "character", "citext"}


def plan_checks(mock: Mock, plan: TestPlan, queries: list[Query], handle: Handle) -> None:
    """Fill the plan with what stands in place of the assertions on a mock."""
    writes = [query for query in queries if query.statement.is_write]
    words = [_word(check) for check in mock.checks]
    if any(_word(each) == "commit" and each.word == "called" for each in mock.checks) and handle.style in (
        PSYCOPG,
        PSYCOPG2,
    ):
        # Another connection, which sees only what was committed.
        handle = Handle(ASYNCPG_SYNC, plan.take("isolated_database_sync"))
    for check, word in zip(mock.checks, words, strict=True):
        sent = [query for query in writes if word in (query.method, query.fetch)]
        if word in _SENDS or sent:
            _check_sent(check, plan, sent, handle)
        elif word == "commit" and check.word == "called" and not _SENDS & set(words):
            plan.check(check.line, [line for query in writes for line in _written(query, plan, handle)])
        elif check.word == "not called" and word in ("fetchrow", "fetchval", "fetch", "fetchone", "fetchall"):
            plan.note_gone(check, "that nothing was read leaves no trace in a database")
        elif word == "commit" and check.word == "not called":
            plan.note_gone(check, "that nothing was committed cannot be seen from the rows alone")
        elif word not in ("commit",):
            plan.note_gone(check, f"that {word or 'the mock'} was called leaves no trace")


def _word(check: Check) -> str:
    words = [word for word in check.path if word not in (CALLED, ENTERED)]
    return words[-1] if words else ""


def _check_sent(check: Check, plan: TestPlan, writes: list[Query], handle: Handle) -> None:
    asked = _asked(check)
    chosen = [asked] if asked is not None and asked.statement.is_write else writes
    if asked is not None and not asked.statement.is_write:
        plan.note_gone(check, "that a SELECT was sent leaves no trace")
        return
    if check.word == "called" and _word(check) == "executemany":
        why = "what each of its rows leaves cannot be told"
        raise Unconvertible(check.line, "executemany", why, "query what must be there by hand")
    if check.word == "not called":
        lines = [line for query in chosen for line in _unchanged(query, plan, handle)]
        if not lines:
            raise Unconvertible(
                check.line, _word(check), "it cannot be told which table is to be unchanged", "count its rows"
            )
    elif chosen:
        times = check.times if check.times is not None and len(chosen) == 1 else None
        lines = [line for query in chosen for line in _written(query, plan, handle, times or 1)]
    elif any(not query.statement.is_write for query in queries_of(plan.calls)):
        plan.note_gone(check, "that a SELECT was sent leaves no trace")
        return
    else:
        raise Unconvertible(
            check.line, _word(check), "the statement that the code sends was not found",
            "query what must be there by hand",
        )  # fmt: skip
    if check.looks and not any(" WHERE " in line for line in lines):
        plan.note_gone(check, "what was written cannot be told")
    plan.check(check.line, [*lines, *_dropped(check, lines)])


def _dropped(check: Check, lines: list[str]) -> Iterator[str]:
    """Yield what remains to be done for arguments that were asserted, and that no query of the result compares."""
    if check.word == "not called":
        return
    for node in (*(check.arguments or ())[1:], *check.keywords.values()):
        parts: list[ast.expr] = list(node.elts) if isinstance(node, ast.Tuple | ast.List) else [node]
        for each in node.values if isinstance(node, ast.Dict) else parts:
            text = as_written(ast.unparse(each))
            is_there = any(re.search(rf"(?<![\w.]){re.escape(text)}(?![\w.])", line) for line in lines)
            if text != UNKNOWN and not is_there:
                yield f"{TODO}assert {text}, which the statement was to be sent with"


def _asked(check: Check) -> Query | None:
    if not check.arguments:
        return None
    sql = text_of(check.arguments[0])
    return query_of(sql, list(check.arguments[1:]), check.line) if sql is not None else None


def _written(query: Query, plan: TestPlan, handle: Handle, times: int = 1) -> list[str]:
    """Return the assertion that a statement has done what it says."""
    table = plan.schema.table(query.statement.table)
    if table is None:
        shown = query.statement.table or query.statement.text
        raise Unconvertible(query.line, shown, "the statement's table is not known", "query what must be there by hand")
    if query.statement.verb == "insert":
        known = _comparable(query.written(), table)
        expected = times if known else plan.rows.count(table) + times
        return counted(table.name, known, expected, handle)
    wanted = _comparable(query.wanted(), table)
    if query.statement.verb == "update":  # What is written is not afterwards what was asked for.
        wanted = {name: value for name, value in wanted.items() if name not in query.statement.columns}
    if query.unknown() or not wanted:
        return [f"{TODO}assert what {query.statement.text!r} must have changed"]
    if query.statement.verb == "delete":
        return counted(table.name, wanted, 0, handle)
    known = _comparable(query.written(), table)
    if not known:
        todo = f"{TODO}assert what {query.statement.text!r} must have changed"
        return [*counted(table.name, wanted, 1, handle), todo]
    return counted(table.name, known | {name: each for name, each in wanted.items() if name not in known}, 1, handle)


def _unchanged(query: Query, plan: TestPlan, handle: Handle) -> list[str]:
    table = plan.schema.table(query.statement.table)
    return counted(table.name, {}, _final(plan, table), handle) if table is not None else []


def _final(plan: TestPlan, table: Table) -> int:
    """Return the number of rows before the test, with those that only stand there for others."""
    copy = dataclasses.replace(
        plan.rows, rows=[dataclasses.replace(row, values=dict(row.values)) for row in plan.rows.rows]
    )
    copy.inserts()
    return copy.count(table)


def _comparable(values: dict[str, str], table: Table) -> dict[str, str]:
    return {
        name: value
        for name, value in values.items()
        if name in table.columns
        and (table.columns[name].type in _COMPARED or table.columns[name].labels)
        and not (isinstance(node := ast.parse(value, mode="eval").body, ast.Constant) and node.value is None)
    }


def counted(table: str, values: dict[str, str], expected: int, handle: Handle) -> list[str]:
    """Return what asserts how many rows of a table have some values."""
    sql = f"SELECT count(*) FROM {quoted(table)}"
    if values:
        places = [f"{quoted(name)} = ${number}" for number, name in enumerate(values, 1)]
        sql += f" WHERE {' AND '.join(places)}"
    before, value = handle.value(sql, tuple(values.values()))
    return [*before, f"assert {value} == {expected}"]
