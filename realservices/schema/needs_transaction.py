"""Files whose statements mean something only within a transaction, and that begin none: a tool wraps them in one.

Prisma, Drizzle, Supabase and psql's --single-transaction do. Without one PostgreSQL passes over SET LOCAL with a
warning, empties ON COMMIT tables at once, and refuses LOCK.
"""

from __future__ import annotations

import re

from realservices.schema.flyway import ALONE
from realservices.schema.psql_scan import pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.schema.script import Script

_MAYBE = re.compile(rb"\b(?:SET\s+(?:LOCAL|CONSTRAINTS)|LOCK|SAVEPOINT|ON\s+COMMIT)\b", re.IGNORECASE)
_ON_COMMIT = re.compile(rb"\bON\s+COMMIT\s+D", re.IGNORECASE)
_BEGINS_OR_ENDS = {"ABORT", "BEGIN", "COMMIT", "END", "ROLLBACK", "START"}
# They change how long statements take, and not what they do.
_HARMLESS = re.compile(r"SET LOCAL \w+_(?:TIMEOUT|MEM)\b")
_NEEDS = re.compile(r"(?:SET (?:LOCAL|CONSTRAINTS)|LOCK|SAVEPOINT)\b")
_TEMPORARY = re.compile(r"CREATE (?:LOCAL |GLOBAL )?TEMP(?:ORARY)? TABLE\b")


def needs_transaction(file: Script) -> bool:
    """Return whether a file is to be run within a transaction, though it does not say so."""
    text = file.scanned()
    if not _MAYBE.search(text):
        return False
    is_emptied = bool(_ON_COMMIT.search(text))
    statements = [" ".join(piece.words) for piece in pieces(text) if piece.words]
    if any(ALONE.match(statement) or statement.split(" ")[0] in _BEGINS_OR_ENDS for statement in statements):
        return False
    return any(
        (_NEEDS.match(statement) and not _HARMLESS.match(statement)) or (is_emptied and _TEMPORARY.match(statement))
        for statement in statements
    )
