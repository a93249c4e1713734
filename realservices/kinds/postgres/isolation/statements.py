"""Read SQL text: where its statements end, and which of them control transactions (BEGIN, COMMIT, …).

The lexical rules are those of PostgreSQL's manual, "Lexical Structure": nested comments, dollar quotes, E'' strings;
and of psql for the bodies of SQL-standard functions (BEGIN ATOMIC … END), whose semicolons end no statement.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN, COMMIT, ROLLBACK = "BEGIN", "COMMIT", "ROLLBACK"
SAVEPOINT, RELEASE, ROLLBACK_TO = "SAVEPOINT", "RELEASE", "ROLLBACK TO"
SET_TRANSACTION, PREPARE_TRANSACTION, PREPARED = "SET TRANSACTION", "PREPARE TRANSACTION", "PREPARED"

# What a transaction may say of itself without being another one than without it.
_DEFAULT_MODES = {"READ", "ONLY", "ISOLATION", "LEVEL", "COMMITTED", ",", "NOT", "DEFERRABLE"}
# A word begins with what is not one of ASCII's other characters: `re` takes 4 ms over a range up to U+10FFFF.
_TOKEN = re.compile(
    r"""(?P<comment> --[^\n]* | /\* )
      | (?P<string> [eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' )
      | (?P<quoted> "(?:[^"]|"")*" )
      | (?P<dollar> \$(?:[^\x00-@\[-^`{-\x7f][\w]*)?\$ )
      | (?P<word> [^\x00-@\[-^`{-\x7f][\w$]* )
      | (?P<end> ; )
      | (?P<other> \$\d+ | \d[\w.]* | \S )""",
    re.X | re.S,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Control:
    """One statement of transaction control.

    Attributes:
        action: One of this module's constants.
        text: The statement as it was written.
        read_only: The transaction is to be READ ONLY.
        is_special: It asks for more than that: another isolation level than READ COMMITTED, DEFERRABLE, a snapshot, …
        chain: AND CHAIN: another transaction begins at once.
        status: What PostgreSQL answers to one that begins a transaction.
    """

    action: str
    text: str
    read_only: bool = False
    is_special: bool = False
    chain: bool = False
    status: str = BEGIN


def split(sql: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each statement's text and its words: unquoted ones in upper case, quoted names in their quotes."""
    start, words, depth = 0, list[str](), 0
    for kind, text, position in _tokens(sql):
        if kind == "end":
            if depth == 0:
                if words:
                    yield sql[start:position], words
                start, words = position + 1, []
        elif kind != "comment":
            words.append(text.upper() if kind == "word" else text)
            if kind == "word" and _defines_routine(words):
                depth += _nesting(words[-1], depth)
    if words:
        yield sql[start:], words


def _tokens(sql: str) -> Iterator[tuple[str, str, int]]:
    position = 0
    while match := _TOKEN.search(sql, position):
        kind, text, position = match.lastgroup or "", match.group(), match.end()
        if text == "/*":
            position = _comment_end(sql, position)
        elif kind == "dollar":
            closing = sql.find(text, position)
            position = len(sql) if closing < 0 else closing + len(text)
        yield kind, text, match.start()


def _comment_end(sql: str, position: int) -> int:
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(sql, position)):
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return len(sql) if depth else position


def _defines_routine(words: list[str]) -> bool:
    # CREATE [OR REPLACE] FUNCTION | PROCEDURE
    return words[0] == "CREATE" and any(word in ("FUNCTION", "PROCEDURE") for word in words[1:4])


def _nesting(word: str, depth: int) -> int:
    if word == "BEGIN" or (word == "CASE" and depth):
        return 1
    return -1 if word == "END" and depth else 0


def control_of(text: str, words: list[str]) -> Control | None:
    """Return what a statement does to transactions; None: nothing. The arguments are what `split` yields."""
    first, rest = words[0], [word for word in words[1:] if word not in ("WORK", "TRANSACTION", "SAVEPOINT")]
    chain = rest[:2] == ["AND", "CHAIN"]
    if first == "BEGIN" or words[:2] == ["START", "TRANSACTION"] or words[:2] == ["SET", "TRANSACTION"]:
        action = SET_TRANSACTION if first == "SET" else BEGIN
        status = "START TRANSACTION" if first == "START" else BEGIN
        return Control(action, text, _mentions(rest, "READ", "ONLY"), is_special=_is_special(rest), status=status)
    if words[:2] == ["PREPARE", "TRANSACTION"]:
        return Control(PREPARE_TRANSACTION, text)
    if first in ("COMMIT", "ROLLBACK") and rest[:1] == ["PREPARED"]:
        return Control(PREPARED, text)
    if first in ("COMMIT", "END"):
        return Control(COMMIT, text, chain=chain)
    if first in ("ROLLBACK", "ABORT"):
        return Control(ROLLBACK_TO if rest[:1] == ["TO"] else ROLLBACK, text, chain=chain)
    if first in (SAVEPOINT, RELEASE):
        return Control(first, text)
    return None


def _is_special(modes: list[str]) -> bool:
    is_deferrable = "DEFERRABLE" in modes and not _mentions(modes, "NOT", "DEFERRABLE")
    return is_deferrable or not _DEFAULT_MODES.issuperset(modes)


def _mentions(words: list[str], first: str, second: str) -> bool:
    return (first, second) in itertools.pairwise(words)
