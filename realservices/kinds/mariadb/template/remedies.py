"""What to do about a file that MariaDB refuses, where its words do not say it."""

from __future__ import annotations

import re

from realservices.schema.not_sql import not_utf_8

# Of the server, where a statement ends too early for it.
_TOO_EARLY = "near ''"
_ROUTINE = re.compile(r"\bCREATE\b[^;]*\b(PROCEDURE|FUNCTION|TRIGGER|EVENT|PACKAGE)\b", re.IGNORECASE)
_DELIMITER = re.compile(r"^\s*DELIMITER\b", re.IGNORECASE | re.MULTILINE)
# By the server's words and the line that it refused.
_REMEDIES = (
    (
        r"variable '(?i:gtid_purged)'",
        "MySQL's mysqldump has written the line: dump with --set-gtid-purged=OFF, or take it out",
    ),
    (r"near 'source\b", "commands of the client are not run: name the file that it reads in migrations"),
    (
        r"near '(?i:GO\b|\[|\"|serial\b|jsonb\b|::|\$\$)",
        "that looks like the dialect of another database: have migrations name the files for MariaDB",
    ),
)


def remedy(content: bytes, line: int, words: str) -> str:
    r"""Return what to do, as lines to append; empty where nothing more is known.

    Args:
        content: The whole file.
        line: Where the refused statement is, from 1.
        words: The server's.
    """
    lines = content.decode(errors="replace").splitlines()
    before = "\n".join(lines[:line])
    found = []
    if _TOO_EARLY in words and _ROUTINE.search(before) and not _DELIMITER.search(before):
        found.append(
            "The client ends a statement at each semicolon: put a line `DELIMITER //` before a routine with BEGIN … "
            "END, // behind its END, and a line `DELIMITER ;` after that"
        )
    refused = lines[line - 1] if line <= len(lines) else ""
    found += [known for pattern, known in _REMEDIES if re.search(pattern, f"{words}\n{refused.strip()}")][:1]
    if wrong := not_utf_8(content):
        where = f"line {wrong[0]} has the byte 0x{wrong[1]:02x}"
        found.append(f"The file is read as UTF-8, which it is not: {where}. Save it as UTF-8")
    return "".join(f"\n  {each}" for each in found)
