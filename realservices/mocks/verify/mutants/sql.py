"""Changes of SQL: a column, WHERE and its conditions, ORDER BY, ON CONFLICT and more, within string literals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.verify.mutants.mutant_model import Change
from realservices.mocks.verify.mutants.sql_tokens import Token, is_sql, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.mocks.verify.mutants.literals import Literal
    from realservices.mocks.verify.mutants.mutant_model import Found

_OPPOSITE = {"=": "<>", "<>": "=", "!=": "=", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "AND": "OR", "OR": "AND"}
_SIGNS = {"+": "-", "-": "+", "TRUE": "FALSE", "FALSE": "TRUE"}
_CLAUSE_ENDS = {
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "FOR",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "RETURNING",
}
_CLAUSE_ENDS |= {"WINDOW", "ON", "SETTINGS", "WHERE", "FROM", "SET", "VALUES", "SELECT"}


def sql_changes(literal: Literal) -> Iterator[Found]:
    """Yield the changes of a literal that is SQL."""
    if not is_sql(literal.text):
        return
    found = tokens(literal.text)
    for index, token in enumerate(found):
        for change, first, last, text in _at(found, index, token):
            if first == last:
                yield change, literal.insert(first, text)
            else:
                yield change, literal.replace(first, last, text)
    yield from _swapped_columns(literal, found)


_Replacement = tuple[Change, int, int, str]


def _at(found: Sequence[Token], index: int, token: Token) -> Iterator[_Replacement]:
    if token.is_keyword or (token.kind == "operator" and token.text in _OPPOSITE):
        yield from _conditions(found, index, token)
        yield from _clauses(found, index, token)
        yield from _order(found, index, token)
        yield from _conflict(found, index, token)
    if _is_tested_column(found, index):
        yield Change.SQL_COLUMN, token.start, token.end, f"x_{token.text}"
    if token.kind == "text":
        yield Change.SQL_VALUE, token.start + 1, token.start + 1, "changed-"
    elif token.text in _SIGNS and _is_value(found, index):
        yield Change.SQL_VALUE, token.start, token.end, _SIGNS[token.text]


def _conditions(found: Sequence[Token], index: int, token: Token) -> Iterator[_Replacement]:
    clause = _clause(found, index)
    if token.text == "WHERE":
        yield Change.SQL_WHERE, token.end, token.end, " 1 = 1 OR"
    elif clause not in ("WHERE", "ON", "HAVING") or _follows_between(found, index):
        return
    elif token.text in _OPPOSITE:
        yield Change.SQL_CONDITION, token.start, token.end, _OPPOSITE[token.text]
    elif token.text in ("NULL", "IN") and _word(found, index - 1) == "NOT":
        yield Change.SQL_CONDITION, found[index - 1].start, token.start, ""
    elif (token.text == "NULL" and _word(found, index - 1) == "IS") or token.text == "IN":
        yield Change.SQL_CONDITION, token.start, token.start, "NOT "


def _clauses(found: Sequence[Token], index: int, token: Token) -> Iterator[_Replacement]:
    following = found[index + 1] if index + 1 < len(found) else None
    if token.text == "DISTINCT" and _word(found, index - 1) == "SELECT" and _word(found, index + 1) != "ON":
        yield Change.SQL_DISTINCT, token.start, token.end, ""
    elif token.text == "LIMIT" and following and following.kind == "number":
        yield Change.SQL_LIMIT, token.start, following.end, ""
    elif token.text == "RETURNING":
        yield Change.SQL_RETURNING, token.start, found[_end(found, index)].end, ""
    elif token.text == "JOIN":
        yield from _join(found, index, token)


def _join(found: Sequence[Token], index: int, token: Token) -> Iterator[_Replacement]:
    before = _word(found, index - 1)
    if before in ("LEFT", "INNER"):
        kind = "INNER" if before == "LEFT" else "LEFT"
        yield Change.SQL_JOIN, found[index - 1].start, found[index - 1].end, kind
    elif before not in ("OUTER", "CROSS", "NATURAL", "RIGHT", "FULL"):
        yield Change.SQL_JOIN, token.start, token.start, "LEFT "


def _order(found: Sequence[Token], index: int, token: Token) -> Iterator[_Replacement]:
    if token.text != "BY" or _word(found, index - 1) != "ORDER":
        return
    for each in found[index + 1 : _end(found, index) + 1]:
        if each.text in ("ASC", "DESC"):
            yield Change.SQL_ORDER, each.start, each.end, "DESC" if each.text == "ASC" else "ASC"
            return
        if each.depth == token.depth and (each.text == "," or each.text == "NULLS"):
            yield Change.SQL_ORDER, each.start, each.start, " DESC "
            return
    end = found[_end(found, index)].end
    yield Change.SQL_ORDER, end, end, " DESC"


def _conflict(found: Sequence[Token], index: int, token: Token) -> Iterator[_Replacement]:
    if token.text != "CONFLICT" or _word(found, index - 1) != "ON":
        return
    ends = (place for place in range(index, len(found)) if found[place].text == "RETURNING")
    last = next(ends, len(found)) - 1
    yield Change.SQL_CONFLICT, found[index - 1].start, found[last].end, ""
    for place in range(index, last):
        if found[place].text == "DO" and _word(found, place + 1) == "UPDATE":
            yield Change.SQL_CONFLICT, found[place + 1].start, found[last].end, "NOTHING"


def _is_tested_column(found: Sequence[Token], index: int) -> bool:
    """Return whether a token is the first column of its clause: one wrong name in each is enough."""
    token = found[index]
    if not token.is_name or (index + 1 < len(found) and found[index + 1].text in ("(", ".")):
        return False
    start = index - 2 if index > 1 and found[index - 1].text == "." else index
    before = _word(found, start - 1)
    if before == "(":
        return token.depth == 1 and _word(found, start - 3) == "INTO"
    if before == "BY":
        return _word(found, start - 2) in ("ORDER", "GROUP")
    return before in ("SELECT", "DISTINCT", "SET", "WHERE", "RETURNING")


def _swapped_columns(literal: Literal, found: Sequence[Token]) -> Iterator[Found]:
    """Yield an INSERT whose first two columns have changed places."""
    for index in range(len(found) - 6):
        first, comma, second = found[index + 3 : index + 6]
        if found[index].text != "INTO" or found[index + 2].text != "(" or comma.text != ",":
            continue
        if first.is_name and second.is_name:
            edits = literal.replace(first.start, first.end, second.text)
            yield Change.SQL_COLUMN, edits + literal.replace(second.start, second.end, first.text)


def _is_value(found: Sequence[Token], index: int) -> bool:
    """Return whether a sign is an operator between two values, or a truth value."""
    if found[index].text in ("TRUE", "FALSE"):
        return True
    sides = [*found[max(0, index - 1) : index], *found[index + 1 : index + 2]]
    return len(sides) == 2 and all(side.kind in ("word", "number", "hole", "quoted") for side in sides)


def _follows_between(found: Sequence[Token], index: int) -> bool:
    if found[index].text != "AND":
        return False
    return any(token.text == "BETWEEN" for token in found[max(0, index - 4) : index])


def _clause(found: Sequence[Token], index: int) -> str:
    """Return the word that begins the clause a token is in; parentheses of a condition belong to it."""
    depth = found[index].depth
    for token in reversed(found[:index]):
        depth = min(depth, token.depth)
        if token.is_keyword and token.depth <= depth and token.text in _CLAUSE_ENDS:
            return token.text
    return ""


def _end(found: Sequence[Token], index: int) -> int:
    """Return the last token of the clause that begins at a token."""
    depth = found[index].depth
    for place in range(index + 1, len(found)):
        token = found[place]
        if token.depth < depth or (token.depth == depth and (token.text in _CLAUSE_ENDS or token.text == ";")):
            return place - 1
    return len(found) - 1


def _word(found: Sequence[Token], index: int) -> str:
    return found[index].text if 0 <= index < len(found) else ""
