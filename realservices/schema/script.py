"""A file of SQL as psql is to run it."""

from __future__ import annotations

from dataclasses import dataclass

APPLIED = "applied"


@dataclass(frozen=True, slots=True)
class Script:
    """One file, or what of it is to be run.

    Attributes:
        kind: ``migration`` or ``seed``; or APPLIED, a migration that the base has: it only has its place in the order.
        shown: Its path in the workspace, for messages.
        path: Where it is.
        text: What of it is run; other lines are empty, so that each has its number. None: all of it.
        transaction: Whether it is run within a transaction.
    """

    kind: str
    shown: str
    path: str
    text: bytes | None = None
    transaction: bool = False

    @property
    def name(self) -> str:
        """The file's name without directories."""
        return self.shown.rpartition("/")[2]
