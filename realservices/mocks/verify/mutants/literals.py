"""The text of a string literal as one, however many pieces it is written in, and edits in it."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from realservices.mocks.verify.mutants.mutant_model import Edit

if TYPE_CHECKING:
    from realservices.mocks.verify.mutants.mutant_model import Source

_PIECE = re.compile(
    r"""(?P<prefix>[rRbBfFuU]{0,2})(?P<quote>'''|\"""|'|")(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)""", re.DOTALL
)
_BETWEEN = re.compile(r"(?:\s|\\\n|#[^\n]*\n)*")


class Literal:
    """A string literal, f-strings and implicit concatenations too.

    Attributes:
        text: What is between its quotes as it is written: with escapes, and with an f-string's `{…}`.
        pieces: Whether it was understood; without, it has no text.
    """

    def __init__(self, source: Source, node: ast.Constant | ast.JoinedStr) -> None:
        start, end = source.span(node)
        self._source = source
        self.pieces = _pieces(source.text(start, end))
        # Of each character of the text where it is in the file, in bytes.
        self._offsets: list[int] = []
        self.text = ""
        segment = source.text(start, end)
        for first, last in self.pieces:
            for index in range(first, last):
                self._offsets.append(start + len(segment[:index].encode()))
            self.text += segment[first:last]

    def offset(self, index: int) -> int:
        """Return where a character is in the file, in bytes."""
        return self._offsets[index]

    def insert(self, index: int, text: str) -> tuple[Edit, ...]:
        """Return the edit that puts a text before a character, or at the end."""
        if index < len(self._offsets):
            return (Edit(self._offsets[index], self._offsets[index], text),)
        end = self._offsets[-1] + len(self.text[-1].encode())
        return (Edit(end, end, text),)

    def replace(self, first: int, last: int, text: str) -> tuple[Edit, ...]:
        """Return the edits that put a text in place of some characters, which may lie in several pieces."""
        edits: list[Edit] = []
        for index in range(first, last):
            start = self._offsets[index]
            end = start + len(self.text[index].encode())
            if edits and edits[-1].end == start:
                edits[-1] = Edit(edits[-1].start, end, edits[-1].replacement)
            else:
                edits.append(Edit(start, end, "" if edits else text))
        return tuple(edits)


def prefixed(source: Source, node: ast.Constant | ast.JoinedStr, text: str) -> tuple[Edit, ...]:
    """Return the edit that puts a text at the beginning of a literal."""
    start, end = source.span(node)
    match = _PIECE.match(source.text(start, end))
    if match is None:
        return ()
    at = start + len(match["prefix"] + match["quote"])
    return (Edit(at, at, text),)


def _pieces(segment: str) -> list[tuple[int, int]]:
    pieces: list[tuple[int, int]] = []
    at = 0
    while at < len(segment):
        match = _PIECE.match(segment, at)
        if match is None:
            return []  # Quotes within an f-string's expressions.
        pieces.append(match.span("text"))
        gap = _BETWEEN.match(segment, match.end())
        at = gap.end() if gap else match.end()
    return pieces
