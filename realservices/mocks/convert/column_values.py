"""Values for columns: one that a required column accepts, and whether a column accepts the one that a mock has."""

from __future__ import annotations

import ast
import re
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realservices.mocks.convert.database_schema import Column, Table

_INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_TEXTS = {"text", "character varying", "character", "citext", "name"}
_TIMES = {
    "timestamp with time zone": "2026-01-01 00:00:00+00", "timestamp without time zone": "2026-01-01 00:00:00",
    "date": "2026-01-01", "time without time zone": "12:00:00", "time with time zone": "12:00:00+00",
    "interval": "1 day",
}  # fmt: skip
_OTHERS = {"inet": "127.0.0.1", "cidr": "10.0.0.0/8", "macaddr": "08:00:2b:01:02:03"}
_DOCUMENTS = ("json", "jsonb")
_NUMBERS = ("numeric", "real", "double precision", "money")


def filler(column: Column, table: Table, number: int) -> str:
    """Return a value that a required column accepts, as Python's text.

    Args:
        column: The column.
        table: Its table, whose CHECKs may list what is allowed.
        number: From 1: other rows get other values.
    """
    if allowed := _listed(column.name, table):
        return repr(allowed[0])
    if column.labels:
        return repr(column.labels[0])
    if column.type in _INTEGERS or column.type in _NUMBERS:
        return str(number)
    if column.type == "boolean":
        return "False"
    if column.type == "uuid":
        return repr(str(uuid.UUID(int=number)))
    if column.type in _TIMES or column.type in _OTHERS:
        return repr(_TIMES.get(column.type) or _OTHERS[column.type])
    if column.type in _DOCUMENTS:
        return repr("{}")
    if column.type == "bytea":
        return repr(b"")
    if column.type.endswith("[]"):
        return "[]"
    return repr(_text(column, number))


def other_value(column: Column, table: Table, number: int, used: set[object]) -> str | None:
    """Return a value that a column accepts beside some others, as Python's text; None where none is certain.

    Args:
        column: The column.
        table: Its table, whose CHECKs may list what is allowed.
        number: What the value is made of, unlike the numbers of other rows.
        used: What it must differ from.
    """
    choices: list[object] = list(_listed(column.name, table) or column.labels)
    if choices or column.type == "boolean":
        left = [each for each in choices or [False, True] if each not in used]
        return repr(left[0]) if left else None
    is_checked = any(re.search(rf"\b{re.escape(column.name)}\b", check) for check in table.checks)
    if is_checked or not (column.type in _INTEGERS or column.type in _TEXTS or column.type == "uuid"):
        return None
    value = filler(column, table, number)
    return None if ast.literal_eval(value) in used else value


def is_time(column: Column) -> bool:
    """Return whether a column holds a date, with or without a time."""
    return column.type.startswith("timestamp") or column.type == "date"


def objection(column: Column, value: ast.expr) -> str:
    """Return why a column does not accept a constant, "" where it does or where the value is no constant."""
    if not isinstance(value, ast.Constant):
        return ""
    held = value.value
    if held is None:
        return "it is NOT NULL" if column.is_required and not column.has_default else ""
    if column.labels:
        return "" if held in column.labels else f"the type has {', '.join(column.labels)}"
    if column.type in _INTEGERS:
        fits = isinstance(held, int) and not isinstance(held, bool) and abs(held) < _INTEGERS[column.type]
        return "" if fits else f"its type is {column.type}"
    if column.type == "uuid":
        return "" if _is_uuid(held) else "its type is uuid"
    if column.type == "boolean":
        return "" if isinstance(held, bool) else "its type is boolean"
    if column.type in _TEXTS:
        if not isinstance(held, str):
            return f"its type is {column.type}"
        return f"it holds {column.length} characters" if column.length and len(held) > column.length else ""
    if column.type in _TIMES and isinstance(held, str):
        return "" if re.match(r"^\d{1,4}[-:]\d|^\d+ \w+", held) else f"its type is {column.type}"
    if column.type in _NUMBERS:
        return "" if isinstance(held, int | float) else f"its type is {column.type}"
    return ""


def is_written_as_text(column: Column, value: str) -> bool:
    """Return whether a constant goes into the SQL as a literal: a driver wants another type for it than text."""
    if not value.startswith(("'", '"')):
        return False
    return not (column.type in _TEXTS or column.labels or column.type == "uuid" or column.type in _DOCUMENTS)


def _text(column: Column, number: int) -> str:
    text = f"{column.name}-{number}"
    if "email" in column.name:
        text = f"user-{number}@example.com"
    return text[-column.length :] if column.length else text


def _listed(name: str, table: Table) -> list[str]:
    """Return the values that a CHECK (column IN (…)) allows."""
    for check in table.checks:
        if re.search(rf"\b{re.escape(name)}\b", check) and ("ANY" in check or " IN " in check):
            return re.findall(r"'((?:[^']|'')*)'", check)
    return []


def _is_uuid(held: object) -> bool:
    try:
        uuid.UUID(str(held))
    except ValueError:
        return False
    return isinstance(held, str)
