"""What a SQL statement in code under test reads and writes: its table, columns, conditions and values.

No parser of the whole language: the statements that applications write by hand, and for all others "unknown", on which
nothing is built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_NAME = r'(?:"[^"]+"|[\w]+)(?:\.(?:"[^"]+"|\w+))?'
_VERB = re.compile(r"^\s*(?:--[^\n]*\n\s*)*(select|insert|update|delete|with)\b", re.I)
_PLACEHOLDER = re.compile(r"%s|%\((\w+)\)s|\?|(?<!:):([a-zA-Z_]\w*)|\$(\d+)")
_FROM = re.compile(rf"\bfrom\s+(?:only\s+)?({_NAME})", re.I)
_JOIN = re.compile(rf"\bjoin\s+({_NAME})", re.I)
_INSERT = re.compile(rf"^insert\s+into\s+({_NAME})(?:\s+as\s+\w+)?\s*\(([^)]*)\)\s*values\s*(.*)$", re.I)
_UPDATE = re.compile(rf"^update\s+(?:only\s+)?({_NAME})(?:\s+(?:as\s+)?(?!set\b)\w+)?\s+set\s+(.*)$", re.I)
_DELETE = re.compile(rf"^delete\s+from\s+(?:only\s+)?({_NAME})", re.I)
_WHERE = re.compile(
    r"\bwhere\s+(.*?)(?=\b(?:returning|group by|order by|limit|offset|for update|on conflict)\b|$)", re.I
)
_RETURNING = re.compile(r"\breturning\s+(.*)$", re.I)
_SELECT = re.compile(r"^select\s+(?:distinct\s+)?(.*?)(?:\s+from\b|$)", re.I)
_CONDITION = re.compile(
    rf"^\(?\s*(?:lower\()?({_NAME})\)?\s*(=|>=|<=|>|<|<>|!=|ilike|like|is not|is|in)\s*(.+?)\s*\)?$", re.I
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a WHERE clause: `column`, `operator` in lower case, and `value` as text of SQL."""

    column: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of SQL.

    Attributes:
        text: As written, spaces and line ends as one space, positional placeholders as $1, $2, ….
        verb: "select", "insert", "update", "delete".
        table: The first table, without schema "public" and quotes.
        joined: Further tables.
        columns: What a SELECT gives, what an INSERT sets, or what RETURNING gives for others.
        values: Of an INSERT, in the order of its columns; of an UPDATE the new ones by column.
        conditions: Those of WHERE that are joined by AND.
        returning: Columns of RETURNING.
    """

    text: str
    verb: str
    table: str = ""
    joined: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    returning: tuple[str, ...] = ()

    @property
    def is_count(self) -> bool:
        """Whether it gives the number of rows."""
        return len(self.columns) == 1 and self.columns[0].lower().startswith("count(")

    @property
    def is_exists(self) -> bool:
        """Whether it gives whether there are rows."""
        return self.text.lower().startswith("select exists")

    @property
    def is_write(self) -> bool:
        """Whether it changes rows."""
        return self.verb in ("insert", "update", "delete")


def is_sql(text: str) -> bool:
    """Return whether a text begins like a statement on rows."""
    return _VERB.match(text) is not None


def parse_sql(text: str) -> Statement | None:
    """Return what a statement does, None where it is none on rows."""
    match = _VERB.match(text)
    if match is None:
        return None
    flat = " ".join(re.sub(r"--[^\n]*", " ", text).split()).rstrip("; ")
    flat = _number(flat)
    verb = match[1].lower()
    if verb == "insert":
        return _insert(flat)
    if verb == "update":
        return _update(flat)
    if verb == "delete":
        found = _DELETE.match(flat)
        return Statement(
            flat, verb, _plain(found[1]) if found else "", conditions=_conditions(flat), returning=_returning(flat)
        )
    return _select(flat)


def where_of(text: str) -> str:
    """Return what stands behind the first WHERE of a statement, "" where there is none."""
    match = _WHERE.search(text)
    return match[1] if match else ""


def placeholder_of(value: str) -> int | str | None:
    """Return which argument a value is: its position from 0, its name, or None for anything else."""
    value = re.sub(r"::[\w\[\]]+$", "", value.strip("() "))
    value = re.sub(r"^any\s*\(\s*(.*?)\s*$", r"\1", value, flags=re.I)
    if match := re.fullmatch(r"\$(\d+)", value):
        return int(match[1]) - 1
    if match := re.fullmatch(r":([a-zA-Z_]\w*)", value):
        return match[1]
    return None


def literal_of(value: str) -> str | None:
    """Return a constant of SQL as Python's text, None for anything else."""
    value = re.sub(r"::\w+$", "", value.strip())
    if re.fullmatch(r"-?\d+(\.\d+)?", value):
        return value
    if re.fullmatch(r"'(?:[^']|'')*'", value):
        return repr(value[1:-1].replace("''", "'"))
    return {"true": "True", "false": "False", "null": "None"}.get(value.lower())


def _number(flat: str) -> str:
    count = 0

    def numbered(match: re.Match[str]) -> str:
        nonlocal count
        if match[3]:
            return match[0]
        if name := match[1] or match[2]:
            return f":{name}"
        count += 1
        return f"${count}"

    return re.sub(r"'(?:[^']|'')*'|" + _PLACEHOLDER.pattern, lambda m: m[0] if m[0][0] == "'" else numbered(m), flat)


def _insert(flat: str) -> Statement:
    match = _INSERT.match(flat)
    if match is None:
        bare = re.match(rf"^insert\s+into\s+({_NAME})", flat, re.I)
        return Statement(flat, "insert", _plain(bare[1]) if bare else "", returning=_returning(flat))
    columns = tuple(_plain(column) for column in match[2].split(","))
    inner = _parenthesis(match[3])
    return Statement(
        flat, "insert", _plain(match[1]), columns=columns, values=tuple(_split(inner)), returning=_returning(flat)
    )


def _update(flat: str) -> Statement:
    match = _UPDATE.match(flat)
    if match is None:
        return Statement(flat, "update")
    body = re.split(r"\b(?:where|returning|from)\b", match[2], maxsplit=1, flags=re.I)[0]
    pairs = [part.partition("=")[::2] for part in _split(body)]
    return Statement(
        flat, "update", _plain(match[1]), columns=tuple(_plain(name) for name, _ in pairs),
        values=tuple(value.strip() for _, value in pairs), conditions=_conditions(flat), returning=_returning(flat),
    )  # fmt: skip


def _select(flat: str) -> Statement:
    found, match = _FROM.search(flat), _SELECT.match(flat)
    columns = tuple(_output(column) for column in _split(match[1])) if match else ()
    statement = Statement(flat, "select", joined=tuple(_plain(name) for name in _JOIN.findall(flat)), columns=columns)
    if found is None or flat.lower().startswith("with"):
        return statement
    return replace(statement, table=_plain(found[1]), conditions=_conditions(flat))


def _output(column: str) -> str:
    named = re.search(r"\bas\s+(\w+)$", column, re.I)
    if column.lower().startswith("count("):
        return column
    if named and not re.fullmatch(rf"{_NAME}\s+as\s+\w+", column, re.I):
        return f"{column}"
    return _column(re.sub(r"\s+as\s+\w+$", "", column, flags=re.I))


def _conditions(flat: str) -> tuple[Condition, ...]:
    match = _WHERE.search(flat)
    if match is None or re.search(r"\bor\b", match[1], re.I):
        return ()
    found = []
    for part in re.split(r"\band\b", match[1], flags=re.I):
        if condition := _CONDITION.match(part.strip()):
            found.append(Condition(_column(condition[1]), condition[2].lower(), condition[3].strip()))
    return tuple(found)


def _returning(flat: str) -> tuple[str, ...]:
    match = _RETURNING.search(flat)
    return tuple(_column(part) for part in _split(match[1])) if match else ()


def _parenthesis(text: str) -> str:
    """Return what stands in the parenthesis with which a text begins."""
    depth = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:at]
    return text.strip("()")


def _split(text: str) -> list[str]:
    """Return the parts between commas that stand in no parenthesis and in no text."""
    parts, depth, quoted, begin = [], 0, False, 0
    for at, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted:
            depth += (character in "([") - (character in ")]")
            if character == "," and depth == 0:
                parts.append(text[begin:at].strip())
                begin = at + 1
    last = text[begin:].strip()
    return [*parts, last] if last else parts


def _plain(name: str) -> str:
    parts = [part.strip().strip('"') for part in name.split(".")]
    return parts[-1] if parts[0] == "public" or len(parts) == 1 else ".".join(parts)


def _column(name: str) -> str:
    return name.strip().split(".")[-1].strip().strip('"')
