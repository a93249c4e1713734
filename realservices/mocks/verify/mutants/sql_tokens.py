"""SQL as tokens: enough to tell names from keywords, quotes and comments, in the dialects of all servers."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|\\.|--(?:(?!\\n)[^\n])*|/\*.*?\*/)
    |(?P<hole>\{[^{}]*\}|\$\d+|%\(\w+\)s|%s|(?<!:):\w+|\?)
    |(?P<text>'(?:''|[^'])*')
    |(?P<quoted>"[^"]*"|`[^`]*`)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<word>[^\W\d]\w*)
    |(?P<operator><>|!=|<=|>=|::|\|\||->>|->|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_STATEMENT = re.compile(
    r"(?:SELECT\b.*?(?:\bFROM\b|[\w)]\s*\(|\d)|INSERT\s+INTO\b|UPDATE\b.*?\bSET\b|DELETE\s+FROM\b|WITH\b.*?\bAS\s*\()",
    re.IGNORECASE | re.DOTALL,
)
# A part of a statement, which code puts together; in capitals, or else it would be English.
_FRAGMENT = re.compile(r"(?:WHERE|AND|OR|ORDER BY|ON CONFLICT|LIMIT|(?:LEFT |INNER )?JOIN|RETURNING)\s+[\w($\"%:{]")
_WORDS = """
    ALL AND ANY AS ASC BETWEEN BY CASE CAST CONFLICT CROSS DELETE DESC DISTINCT DO ELSE END EXCEPT EXISTS FALSE FETCH
    FILTER FIRST FOR FROM FULL GROUP HAVING ILIKE IN INNER INSERT INTERSECT INTERVAL INTO IS JOIN LAST LATERAL LEFT LIKE
    LIMIT NATURAL NOT NOTHING NULL NULLS OFFSET ON ONLY OR ORDER OUTER OVER PARTITION RETURNING RIGHT SELECT SET
    SETTINGS SKIP SOME TABLE THEN TRUE UNION UPDATE USING VALUES WHEN WHERE WINDOW WITH
"""
KEYWORDS = frozenset(_WORDS.split())


@dataclass(frozen=True)
class Token:
    """A piece of SQL.

    Attributes:
        kind: hole (a parameter, or an f-string's part), text, quoted, number, word, operator.
        text: As it is written; keywords in capitals.
        start: Index of its first character.
        end: Index behind its last one.
        depth: How many parentheses are open around it.
    """

    kind: str
    text: str
    start: int
    end: int
    depth: int

    @property
    def is_keyword(self) -> bool:
        """Whether it is a word of the language."""
        return self.kind == "word" and self.text in KEYWORDS

    @property
    def is_name(self) -> bool:
        """Whether it may be the name of a column or a function."""
        return self.kind == "word" and not self.is_keyword


def is_sql(text: str) -> bool:
    """Return whether a text is a statement that reads or changes rows, or a part of one."""
    significant = tokens(text)
    if not significant:
        return False
    begin = text[significant[0].start :]
    return bool(_STATEMENT.match(begin) or _FRAGMENT.match(begin))


def tokens(text: str) -> list[Token]:
    """Return the tokens of a text, spaces and comments left out."""
    found: list[Token] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind == "space":
            continue
        depth -= match[0] == ")"
        upper = match[0].upper()
        shown = upper if kind == "word" and upper in KEYWORDS else match[0]
        found.append(Token(kind, shown, match.start(), match.end(), depth))
        depth += match[0] == "("
    return found
