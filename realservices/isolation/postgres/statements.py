"""Find transaction control (BEGIN, COMMIT, …) in SQL text, so that it can be kept within a test's own transaction.

The lexical rules are those of PostgreSQL's manual, "Lexical Structure": nested comments, dollar quotes, E'' strings;
and of psql for the bodies of SQL-standard functions (BEGIN ATOMIC … END), whose semicolons end no statement.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN, COMMIT, ROLLBACK = "BEGIN", "COMMIT", "ROLLBACK"
SAVEPOINT, RELEASE, ROLLBACK_TO = "SAVEPOINT", "RELEASE", "ROLLBACK TO"
SET_TRANSACTION, REFUSED = "SET TRANSACTION", "refused"

_TWO_PHASE = (["PREPARE", "TRANSACTION"], ["COMMIT", "PREPARED"], ["ROLLBACK", "PREPARED"])

_SUSPECT = re.compile(r"\b(?:begin|start|commit|end|rollback|abort|savepoint|release|prepare|transaction)\b", re.I)
_CHANGES_SCHEMA = re.compile(r"\b(?:alter|create|drop)\b", re.I)
_TOKEN = re.compile(
    r"""(?P<comment> --[^\n]* | /\* )
      | (?P<string> [eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' )
      | (?P<quoted> "(?:[^"]|"")*" )
      | (?P<dollar> \$(?:[A-Za-z_\x80-\U0010ffff][\w]*)?\$ )
      | (?P<word> [A-Za-z_\x80-\U0010ffff][\w$]* )
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
        name: The savepoint's name, folded as PostgreSQL folds it.
        read_only: The transaction is to be READ ONLY.
        chain: AND CHAIN: another transaction begins at once.
    """

    action: str
    text: str
    name: str = ""
    read_only: bool = False
    chain: bool = False


def changes_schema(sql: str) -> bool:
    """Say whether the text may change types or tables. It errs on the side of yes."""
    return _CHANGES_SCHEMA.search(sql) is not None


def plan(sql: str) -> tuple[str | Control, ...] | None:
    """Return the text as steps, or None where it holds no transaction control and can be sent as it is.

    Statements between two steps of control stay together in one text.
    """
    return _plan(sql) if _SUSPECT.search(sql) else None


@lru_cache(maxsize=512)
def _plan(sql: str) -> tuple[str | Control, ...] | None:
    steps: list[str | Control] = []
    for text, words in _statements(sql):
        control = _control(text, words)
        if control is not None:
            steps.append(control)
        elif steps and isinstance(steps[-1], str):
            steps[-1] += ";" + text
        else:
            steps.append(text)
    return tuple(steps) if any(isinstance(step, Control) for step in steps) else None


def _statements(sql: str) -> Iterator[tuple[str, list[str]]]:
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


def _control(text: str, words: list[str]) -> Control | None:
    first, rest = words[0], [word for word in words[1:] if word not in ("WORK", "TRANSACTION", "SAVEPOINT")]
    chain = rest[:2] == ["AND", "CHAIN"]
    if first == "BEGIN" or words[:2] == ["START", "TRANSACTION"]:
        return Control(BEGIN, text, read_only=_mentions(words, "READ", "ONLY"))
    if words[:2] in _TWO_PHASE:
        return Control(REFUSED, text)
    if first in ("COMMIT", "END"):
        return Control(COMMIT, text, chain=chain)
    if first in ("ROLLBACK", "ABORT"):
        if rest[:1] == ["TO"]:
            return Control(ROLLBACK_TO, text, name=_name(rest[1:]))
        return Control(ROLLBACK, text, chain=chain)
    if first in (SAVEPOINT, RELEASE):
        return Control(first, text, name=_name(rest))
    if words[:2] == ["SET", "TRANSACTION"]:
        return Control(SET_TRANSACTION, text, read_only=_mentions(words, "READ", "ONLY"))
    return None


def _mentions(words: list[str], first: str, second: str) -> bool:
    return (first, second) in itertools.pairwise(words)


def _name(words: list[str]) -> str:
    word = words[0] if words else ""
    return word[1:-1].replace('""', '"') if word.startswith('"') else word.lower()
