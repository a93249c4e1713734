"""psql's way to read a script: where statements begin and end, and the commands of its own between them.

Only as far as it takes to know which words begin a statement, and which files a script includes. Quotes, comments, data
of COPY and the bodies of functions are passed over, as psql passes over them (psqlscan.l, in PostgreSQL's sources).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

    Text = bytes | mmap

_TOKEN = re.compile(
    rb"""
    (?P<comment>--[^\n]*)
    |(?P<block>/\*)
    |(?P<string>[eE]'(?:[^'\\]|\\.|'')*'?|'[^']*'?|"[^"]*"?)
    |(?P<dollar>\$(?:[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff]*)?\$)
    |(?P<end>;)
    |(?P<command>\\[^\n]*)
    |(?P<word>[A-Za-z_\x80-\xff][A-Za-z_0-9$\x80-\xff]*)
    |(?P<other>[^\s])
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(rb"/\*|\*/")
_END_OF_DATA = b"\n\\."
_CHUNK_BYTES = 1 << 20
LARGEST_SCANNED_BYTES = 64 << 20
"""Larger files hold data, and are not worth reading for what else stands in them."""
_MOST_WORDS = 16


@dataclass(slots=True)
class Piece:
    """A statement, or one of psql's commands.

    Attributes:
        line: Where it begins.
        words: A statement's first words, in capitals.
        command: The command with its arguments, up to the end of the line; empty: it is a statement.
        start: Where in the text it begins.
        end: Where a statement ends: at its semicolon, or where there is none at what follows.
    """

    line: int
    words: list[str] = field(default_factory=list)
    command: str = ""
    start: int = 0
    end: int = 0


def pieces(text: Text) -> Iterator[Piece]:
    """Yield the statements and commands of a script, in order."""
    position, line, counted = 0, 1, 0
    current: Piece | None = None
    last_words = ("", "")
    depth = 0
    while match := _TOKEN.search(text, position):
        kind = match.lastgroup
        position = match.end()
        if kind == "comment":
            continue
        if kind == "block":
            position = _after_block(text, position)
            continue
        line += _lines(text, counted, match.start())
        counted = match.start()
        if kind == "command":
            if current:
                current.end = match.start()
                yield current
            yield Piece(line, command=match.group().decode("utf-8", "replace").rstrip())
            current, last_words, depth = None, ("", ""), 0
            continue
        if kind == "end" and not depth:
            if current:
                current.end = match.start()
                yield current
            if current and current.words[:1] == ["COPY"] and last_words == ("FROM", "STDIN"):
                position = _after_data(text, position)
            current, last_words, depth = None, ("", ""), 0
            continue
        current = current or Piece(line, start=match.start())
        if kind == "dollar":
            closing = text.find(match.group(), position)
            position = closing + len(match.group()) if closing >= 0 else len(text)
        elif kind == "word":
            word = match.group().decode("utf-8", "replace").upper()
            depth += _depth_change(current, depth, last_words[1], word)
            if last_words != ("FROM", "STDIN"):
                last_words = (last_words[1], word)
            if len(current.words) < _MOST_WORDS:
                current.words.append(word)
    if current:
        current.end = len(text)
        yield current


def without_comments(text: bytes) -> bytes:
    """Return a statement with a space in place of each comment."""
    kept, position = [], 0
    while match := _TOKEN.search(text, position):
        kept.append(text[position : match.start()])
        position = match.end()
        if match.lastgroup == "block":
            position = _after_block(text, position)
        kept.append(b" " if match.lastgroup in ("comment", "block") else match.group())
    return b"".join(kept) + text[position:]


def _depth_change(statement: Piece, depth: int, previous: str, word: str) -> int:
    """Follow BEGIN ATOMIC … END, in which semicolons do not end the statement."""
    makes_routine = statement.words[:1] == ["CREATE"] and {"FUNCTION", "PROCEDURE"} & {*statement.words[:4]}
    if not makes_routine:
        return 0
    if (previous, word) == ("BEGIN", "ATOMIC") or (word == "CASE" and depth):
        return 1
    return -1 if word == "END" and depth else 0


def _lines(text: Text, start: int, end: int) -> int:
    """Count line ends, a chunk at a time: data of COPY may be larger than memory."""
    return sum(text[at : min(at + _CHUNK_BYTES, end)].count(b"\n") for at in range(start, end, _CHUNK_BYTES))


def _after_data(text: Text, position: int) -> int:
    while (found := text.find(_END_OF_DATA, position)) >= 0:
        position = found + len(_END_OF_DATA)
        if text[position : position + 1] in (b"\n", b"\r", b""):
            return position
    return len(text)


def _after_block(text: Text, position: int) -> int:
    depth = 1
    while depth and (edge := _BLOCK_EDGE.search(text, position)):
        depth += 1 if edge.group() == b"/*" else -1
        position = edge.end()
    return position if not depth else len(text)
