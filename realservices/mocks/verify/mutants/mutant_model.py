"""A mutant: a file in which one small thing is changed."""

from __future__ import annotations

import ast
import codecs
import difflib
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Change(enum.StrEnum):
    """What was done to the code."""

    STATEMENT_REMOVED = "statement removed"
    CALL_DROPPED = "call dropped"
    COMMIT_DROPPED = "commit dropped"
    TRANSACTION_DROPPED = "transaction dropped"
    CONDITION_NEGATED = "condition negated"
    COMPARISON_CHANGED = "comparison changed"
    OPERATOR_CHANGED = "operator changed"
    CONSTANT_CHANGED = "constant changed"
    RETURN_DROPPED = "return value dropped"
    LOOP_CHANGED = "loop control changed"
    EXCEPTION_SWALLOWED = "exception swallowed"
    EXCEPTION_UNHANDLED = "exception not handled"
    SQL_COLUMN = "SQL column changed"
    SQL_WHERE = "SQL WHERE dropped"
    SQL_CONDITION = "SQL condition changed"
    SQL_ORDER = "SQL ORDER BY changed"
    SQL_CONFLICT = "SQL ON CONFLICT changed"
    SQL_JOIN = "SQL JOIN changed"
    SQL_LIMIT = "SQL LIMIT dropped"
    SQL_DISTINCT = "SQL DISTINCT dropped"
    SQL_RETURNING = "SQL RETURNING dropped"
    SQL_VALUE = "SQL value changed"
    REDIS_KEY = "Redis key changed"
    REDIS_TTL = "Redis time to live changed"
    REDIS_CONDITION = "Redis condition dropped"


@dataclass(frozen=True, order=True)
class Edit:
    """A part of a file, in bytes, and what stands there instead."""

    start: int
    end: int
    replacement: str


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One changed thing in one file.

    Attributes:
        path: The file, relative to the project.
        line: Where the change is, from 1.
        lines: First and last line of the statement whose execution reaches the change.
        change: What was done.
        edits: The change itself.
    """

    path: str
    line: int
    lines: tuple[int, int]
    change: Change
    edits: tuple[Edit, ...]

    def source(self, original: bytes) -> bytes:
        """Return the changed file."""
        return applied(original, self.edits)

    def diff(self, original: bytes) -> str:
        """Return the changed lines, as a diff without its headings."""
        before, after = (text.decode(errors="replace").splitlines() for text in (original, self.source(original)))
        shown = difflib.unified_diff(before, after, n=0, lineterm="")
        return "\n".join(line for line in list(shown)[2:] if not line.startswith("@@"))


def applied(text: bytes, edits: Iterable[Edit], start: int = 0) -> bytes:
    """Return a text with edits.

    Args:
        text: A part of a file.
        edits: Of the file, within that part.
        start: Where the part begins.
    """
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start - start] + edit.replacement.encode() + text[edit.end - start :]
    return text


class Source:
    """A parsed file, and where its nodes are in it.

    Raises:
        SyntaxError: It is not Python in UTF-8.
    """

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        self.content = content
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise SyntaxError(str(error)) from None
        self.tree = ast.parse(content)
        # Columns do not count a mark of the encoding.
        self._starts = [len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0]
        begin = 0
        for line in content.splitlines(keepends=True):
            self._starts.append(begin := begin + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return where a node begins and ends, in bytes."""
        first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        return self._starts[first[0] - 1] + first[1], self._starts[last[0] - 1] + last[1]

    def text(self, start: int, end: int) -> str:
        """Return a part of the file."""
        return self.content[start:end].decode()

    def of(self, node: ast.AST) -> str:
        """Return a node as it is written."""
        return self.text(*self.span(node))

    def line_of(self, offset: int) -> int:
        """Return the number of the line that a byte is in, from 1."""
        return self.content.count(b"\n", 0, offset) + 1

    def replaced(self, node: ast.AST, replacement: str) -> tuple[Edit, ...]:
        """Return the edit that puts a text in a node's place; a statement keeps its number of lines."""
        start, end = self.span(node)
        padding = "\n" * self.content.count(b"\n", start, end) if isinstance(node, ast.stmt) else ""
        return (Edit(start, end, replacement + padding),)


Found = tuple[Change, tuple[Edit, ...]]
"""What the modules of changes give: a change and how it is made."""
