"""Comments that say in nobody's notation that what follows undoes what stands before: `-- DOWN`, `/* Rollback */`."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.schema.psql_scan import Text

DOWN = re.compile(
    rb"(?:--[^\w\n]*|/\*\W*)(?:[+@!]\w+\s+|(?:\w+:|migrate|migration|section|sql|to)\s*)?"
    rb"(?:down(?:grade)?|undo|roll[- ]?back|reverse|revert|backwards?|tear[- ]?down|unapply)"
    rb"(?:[\s:.]*(?:migrate|migrations?|section|sql|script|step|part|below|this))?\W*(?:\([^)\n]*\)\W*)?$",
    re.IGNORECASE,
)
_STATEMENT = re.compile(rb"^[^\S\n]*(?!--)\S", re.MULTILINE)
_MAKES_ROOM = re.compile(rb"tear", re.IGNORECASE)
_COMMENTED_OUT = re.compile(
    rb"\s*--\s*(?:ALTER|COMMENT|CREATE|DELETE|DROP|INSERT|REVOKE|TRUNCATE|UPDATE)\b", re.IGNORECASE
)


def divides(text: Text, start: int, end: int) -> bool:
    """Return whether such a comment divides the statements of a file, or stands before all of them.

    One that no statement follows, or that stands at the top and says in comments how to undo the file, does nothing.
    What is torn down at the top makes room for what follows.

    Args:
        text: The file.
        start: Where the comment's line begins.
        end: Where it ends.
    """
    if not _STATEMENT.search(text, end):
        return False
    is_first = not _STATEMENT.search(text, 0, start)
    return not (is_first and (_COMMENTED_OUT.match(text, end) or _MAKES_ROOM.search(text, start, end)))
