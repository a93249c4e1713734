"""The rows that must be in the database before a test begins: what its mocks answered, made fit for the real tables."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.mocks.convert.column_values import filler, is_written_as_text, objection
from realservices.mocks.convert.conversion_results import Unconvertible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.convert.database_schema import Schema, Table


@dataclass(slots=True, eq=False)
class Row:
    """A row to be inserted: values as Python's text, by column; a second row is one that must not be found."""

    table: Table
    values: dict[str, str]
    is_second: bool = False
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT: the statement with $1, $2, … and the values for these, as Python's text."""

    sql: str
    arguments: tuple[str, ...]
    remark: str = ""


@dataclass(slots=True)
class RowPlan:
    """Collects the rows of a test.

    Args:
        schema: The real tables.
    """

    schema: Schema
    rows: list[Row] = field(default_factory=list)

    def add(self, table: Table, values: dict[str, str], line: int) -> Row:
        """Add a row, or what is new of one that is there already.

        Raises:
            Unconvertible: The table does not accept a value, or two answers contradict each other.
        """
        for name, value in values.items():
            self._check(table, name, value, line)
        row = self._same(table, values)
        if row is None:
            row = Row(table, {})
            self.rows.append(row)
        row.values |= values
        return row

    def count(self, table: Table) -> int:
        """Return how many rows of a table there are before the test begins, second rows aside."""
        return sum(row.table is table and not row.is_second for row in self.rows)

    def inserts(self) -> list[Insert]:
        """Return the statements, parents before their children, all required columns filled."""
        wanted, self.rows = self.rows, []
        for row in wanted:
            self._place(row, ())
        return [_insert(row) for row in self.rows]

    def _place(self, row: Row, path: tuple[str, ...]) -> None:
        number = self.count(row.table) + 1
        for column in row.table.columns.values():
            if column.must_be_given and column.name not in row.values and not _is_key(row.table, column.name):
                row.values[column.name] = filler(column, row.table, number)
        if row.table.name not in path:
            self._place_parents(row, (*path, row.table.name))
        self.rows.append(row)

    def _place_parents(self, row: Row, path: tuple[str, ...]) -> None:
        for key in row.table.foreign_keys:
            parent = self.schema.table(key.parent)
            if parent is None:
                continue
            given = {name: row.values[name] for name in key.columns if row.values.get(name, "None") != "None"}
            required = all(row.table.columns[name].must_be_given for name in key.columns)
            if len(given) < len(key.columns) and not required:
                continue
            pairs = zip(key.columns, key.parent_columns, strict=True)
            wanted = {theirs: given.get(ours) or filler(parent.columns[theirs], parent, 1) for ours, theirs in pairs}
            if self._same(parent, wanted) is None:
                self._place(Row(parent, dict(wanted)), path)
            row.values |= dict(zip(key.columns, wanted.values(), strict=True))

    def _same(self, table: Table, values: dict[str, str]) -> Row | None:
        for row in self.rows:
            for key in table.unique if row.table is table else ():
                if all(name in values and row.values.get(name) == values[name] for name in key):
                    return row
        return None

    def _check(self, table: Table, name: str, value: str, line: int) -> None:
        column = table.columns.get(name)
        if column is None:
            known = ", ".join(table.columns)
            why = f"the mock answers with a column {name!r}, which the table {table.name} does not have: it has {known}"
            raise Unconvertible(
                line, value, why, "give the mock's answer the table's columns: the test hides a difference"
            )
        if why := objection(column, ast.parse(value, mode="eval").body):
            raise Unconvertible(
                line, f"{name}={value}", f"{table.name}.{name} does not accept that: {why}",
                "use a value that the database can hold: the test hides a difference",
            )  # fmt: skip


def columns_of(value: ast.expr) -> dict[str, ast.expr] | None:
    """Return columns and values of a row that is written as a dictionary, None for anything else."""
    if isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in (
        "dict",
        "SimpleNamespace",
        "Record",
    ):
        if not value.args and all(word.arg for word in value.keywords):
            return {word.arg or "": word.value for word in value.keywords}
        return columns_of(value.args[0]) if len(value.args) == 1 else None
    if not isinstance(value, ast.Dict):
        return None
    found = {}
    for key, each in zip(value.keys, value.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            return None
        found[key.value] = each
    return found


def _is_key(table: Table, name: str) -> bool:
    """Return whether a parent gives the column its value."""
    return any(name in key.columns for key in table.foreign_keys)


def _insert(row: Row) -> Insert:
    names, places, arguments = [], [], []
    for name, value in row.values.items():
        names.append(_quoted(name))
        column = row.table.columns[name]
        if column.type in ("json", "jsonb"):
            value = _document(value)
        if is_written_as_text(column, value):
            text = str(ast.literal_eval(value)).replace("'", "''")
            places.append(f"'{text}'")
        else:
            arguments.append(value)
            places.append(f"${len(arguments)}")
    table = ".".join(_quoted(part) for part in row.table.name.split("."))
    if not names:
        return Insert(f"INSERT INTO {table} DEFAULT VALUES", (), row.remark)
    # An identity column that is GENERATED ALWAYS takes a value in no other way.
    always = " OVERRIDING SYSTEM VALUE" if any(row.table.columns[name].is_always for name in row.values) else ""
    sql = f"INSERT INTO {table} ({', '.join(names)}){always} VALUES ({', '.join(places)})"
    return Insert(sql, tuple(arguments), row.remark)


def _document(value: str) -> str:
    """Return a value for a column of JSON as text, as drivers want it."""
    try:
        held = ast.literal_eval(value)
    except ValueError:
        return f"json.dumps({value})"
    return value if isinstance(held, str) else repr(json.dumps(held))


_RESERVED = {
    "user", "order", "group", "table", "select", "from", "where", "default", "check", "primary", "references",
    "end", "limit", "offset", "desc", "asc", "all", "and", "or", "not", "case", "cast", "column", "constraint",
    "create", "grant", "in", "into", "on", "only", "then", "to", "union", "unique", "using", "when", "with",
    "analyze",
}  # fmt: skip


def _quoted(name: str) -> str:
    is_plain = name.isidentifier() and name == name.lower() and name not in _RESERVED
    return name if is_plain else f'"{name}"'


def quoted(name: str) -> str:
    """Return a name as SQL has it."""
    return ".".join(_quoted(part) for part in name.split("."))


def flat(rows: list[Insert]) -> Iterator[str]:
    """Yield the arguments of some statements."""
    for row in rows:
        yield from row.arguments
