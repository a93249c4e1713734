"""What psql or the server would do, and no template can bear: to wait for a user, or to write outside of it."""

from __future__ import annotations

import re

from realservices.contract.errors import TemplateError
from realservices.schema.psql_scan import pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.schema.psql_scan import Piece, Text
    from realservices.schema.script import Script

# They wait for a user at a terminal, or for ever.
_INTERACTIVE = re.compile(r"\\(?:prompt|password|e|edit|ef|ev)\b|\\watch(?!.*\b[cm]\w*=)")
# What psql itself is given to read: nothing, when a schema is built.
_STANDARD_INPUT = re.compile(r"\\copy\s.*\sfrom\s+pstdin\b", re.IGNORECASE)
# One with an empty location lies in the data directory (allow_in_place_tablespaces).
_TABLESPACE = re.compile(rb"\bCREATE\s+TABLESPACE\s[^;']*LOCATION\s*E?'[^']", re.IGNORECASE)


def refuse_command(script: Script, piece: Piece) -> None:
    """Refuse a command of psql's that would never end, or have nothing to read.

    Raises:
        TemplateError: It is one.
    """
    if _INTERACTIVE.match(piece.command):
        raise TemplateError(
            f"{script.kind} {script.shown}, line {piece.line}: {piece.command} is for a user at a terminal, and would "
            "wait for ever: take it out (\\watch may say how often, \\watch c=3)"
        )
    if _STANDARD_INPUT.match(piece.command):
        raise TemplateError(
            f"{script.kind} {script.shown}, line {piece.line}: {piece.command} reads what psql is given, which is "
            "nothing here: write FROM stdin, with the rows behind it and \\. at their end, or the name of a file"
        )


def refuse_tablespaces(script: Script, text: Text) -> None:
    """Refuse a tablespace of its own directory, which no copy of the data directory has.

    Raises:
        TemplateError: The file makes one.
    """
    if not _TABLESPACE.search(text):
        return
    for piece in pieces(text):
        if piece.words[:2] == ["CREATE", "TABLESPACE"]:
            raise TemplateError(
                f"{script.kind} {script.shown}, line {piece.line}: CREATE TABLESPACE names a directory, which the "
                "servers of tests would share with each other and with other programs: write before it SET "
                "allow_in_place_tablespaces = on; (PostgreSQL 15 and later), and LOCATION ''"
            )
