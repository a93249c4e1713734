"""psql's words about a statement that the server refused, turned into a message that leads to the fault."""

from __future__ import annotations

import re

# psql's own words: "psql:FILE:LINE: ERROR:  …", then "LINE 3: …" with the position inside of the statement.
# Notices of earlier statements look alike but for the severity.
_PSQL_ERROR = re.compile(
    r"^psql:(?P<file>[^\n]+?):(?P<line>\d+): (?P<message>(?:ERROR|FATAL|PANIC|error): .*)", re.DOTALL | re.MULTILINE
)
_LINE_IN_STATEMENT = re.compile(r"^LINE (\d+): ", re.MULTILINE)
_STATEMENT = re.compile(r"^psql:[^\n]+?:\d+: STATEMENT:\s+(.*)", re.DOTALL | re.MULTILINE)
_MISSING_FILE = re.compile(r"^error: .*: No such file or directory$", re.MULTILINE)
_MISSING_ROLE = re.compile(r'^ERROR:  role "([^"\n]+)" does not exist')


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
        return f"PostgreSQL refused {kind} {shown}:\n{indented(words)}"
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
    return f"PostgreSQL refused {kind} {shown}, {lines}:\n{indented(message)}{shown_statement}{_remedy(message)}"


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


def _remedy(message: str) -> str:
    if _MISSING_FILE.search(message):
        return (
            "\n  what a file includes is an input: under Bazel name it in data, beside migrations. \\ir starts from "
            "the file itself, \\i and \\copy from the workspace (in plain pytest, the project's directory)"
        )
    role = _MISSING_ROLE.search(message)
    if not role:
        return ""
    return (
        f"\n  the server has no role {role[1]!r}, which files of pg_dump name as an owner. If it is the superuser, "
        f'write user = "{role[1]}" on the service; if it is one of the application\'s, let an earlier migration say '
        f"CREATE ROLE {role[1]}; or write the file by pg_dump --no-owner --no-privileges"
    )


def indented(text: str) -> str:
    """Return ``text`` as it stands below a message."""
    return "\n".join(f"    {line}" for line in text.rstrip("\n").split("\n"))
