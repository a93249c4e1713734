"""Tools that run all files in one session: what one file sets there (SET search_path) holds for those after it.

Tern, Flyway and sqitch begin each file anew, as psql does.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace

from realservices.schema.psql_scan import pieces, without_comments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.schema.script import Script

_MAYBE = re.compile(rb"\b(?:RE)?SET\b", re.IGNORECASE)
# Neither what ends with the transaction, nor SET in UPDATE, which does not begin a statement.
_LASTS = re.compile(r"(?:SET|RESET) (?!LOCAL\b|TRANSACTION\b|CONSTRAINTS\b)")
_NAME = re.compile(rb"\w+\s+(?:SESSION\s+)?(?P<name>[\w.]+)", re.IGNORECASE)


def in_one_session(files: list[Script]) -> list[Script]:
    """Return files, each with what the ones before it have set."""
    held: dict[str, bytes] = {}
    result = []
    for file in files:
        result.append(replace(file, before=b"\n".join(held.values())))
        for name, statement in _lasting(file):
            if name == "ALL":
                held.clear()
            held.pop(name, None)
            held[name] = statement
    return result


def _lasting(file: Script) -> Iterator[tuple[str, bytes]]:
    """Yield what a file sets beyond its end: the setting's name, and the statement."""
    if file.text is None and not os.path.exists(file.path):
        return  # An action that begins from a base does not have the files of that.
    text = file.scanned()
    if not _MAYBE.search(text):
        return
    for piece in pieces(text):
        if _LASTS.match(" ".join(piece.words)):
            statement = without_comments(text[piece.start : piece.end]).strip()
            if found := _NAME.match(statement):
                name = found["name"].decode("utf-8", "replace").upper()
                yield "SEARCH_PATH" if name == "SCHEMA" else name, statement + b";"
