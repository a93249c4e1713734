"""psql's words about a statement that the server refused, turned into a message that leads to the fault."""

from __future__ import annotations

import re

from realservices.schema.psql_remedies import remedy_for

# psql's own words: "psql:FILE:LINE: ERROR:  …", then "LINE 3: …" with the position inside of the statement.
# Notices of earlier statements look alike but for the severity.
_PSQL_ERROR = re.compile(
    r"^psql:(?P<file>[^\n]+?):(?P<line>\d+): (?P<message>(?:(?:ERROR|FATAL|PANIC|error): |could not ).*)",
    re.DOTALL | re.MULTILINE,
)
_LINE_IN_STATEMENT = re.compile(r"^LINE (\d+): ", re.MULTILINE)
_STATEMENT = re.compile(r"^psql:[^\n]+?:\d+: STATEMENT:\s+(.*)", re.DOTALL | re.MULTILINE)


def refusal(kind: str, shown: str, path: str, words: str) -> str:
    """Return a message with the line where the fault is, not where the statement ends.

    Args:
        kind: What the file is: ``migration`` or ``seed``.
        shown: Its path in the workspace.
        path: Its path as psql was told it.
        words: psql's standard error.
    """
    statement_match = _STATEMENT.search(words)
    statement = statement_match.group(1).rstrip("\n") if statement_match else ""
    words = words[: statement_match.start()] if statement_match else words
    error = _PSQL_ERROR.search(words)
    if not error:
        said = indented(words) if words.strip() else "    psql ended without a word: does the file include itself?"
        return f"PostgreSQL refused {kind} {shown}:\n{said}{remedy_for(words.strip(), shown)}"
    message = error["message"].rstrip("\n")
    # psql counts the line on which the statement ends; the server counts within the statement, if it gives a position.
    last = int(error["line"])
    first = last - statement.count("\n")
    position = _LINE_IN_STATEMENT.search(message)
    # With QUERY, the position is in a query that a function ran, not in the file.
    if position and statement and "\nQUERY:  " not in message:
        first = last = first + int(position.group(1)) - 1
    lines = f"line {first}" if first == last else f"lines {first}-{last}"
    if error["file"] != path:
        lines += f" of {error['file']}, which it includes"
    shown_statement = f"\n  in the statement:\n{indented(statement)}" if statement else ""
    remedy = remedy_for(message, shown, statement)
    return f"PostgreSQL refused {kind} {shown}, {lines}:\n{indented(message)}{shown_statement}{remedy}"


def open_transaction(kind: str, shown: str, line: int) -> str:
    """Return a message for a file that begins a transaction and does not end it.

    Args:
        kind: What the file is.
        shown: Its path in the workspace.
        line: Where it begins one; 0: nobody knows.
    """
    place = f" (line {line} begins one)" if line else ""
    return (
        f"{kind} {shown} leaves a transaction open{place}: PostgreSQL would roll back what it did in there, without a "
        "word. End it with COMMIT;"
    )


def indented(text: str) -> str:
    """Return ``text`` as it stands below a message."""
    return "\n".join(f"    {line}" for line in text.rstrip("\n").split("\n"))
