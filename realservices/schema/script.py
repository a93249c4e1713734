"""A file of SQL as psql is to run it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from realservices.contract.errors import TemplateError
from realservices.schema.psql_scan import LARGEST_SCANNED_BYTES

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
        before: Statements that its session begins with.
    """

    kind: str
    shown: str
    path: str
    text: bytes | None = None
    transaction: bool = False
    before: bytes = b""

    @property
    def name(self) -> str:
        """The file's name without directories."""
        return self.shown.rpartition("/")[2]

    def content(self) -> bytes:
        """Return what of it is run.

        Raises:
            TemplateError: It cannot be read.
        """
        if self.text is not None:
            return self.text
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except OSError as error:
            raise TemplateError(f"{self.shown} cannot be read: {error.strerror}") from None

    def scanned(self) -> bytes:
        """Return what of it is run, or nothing where it is too large to be looked through.

        Raises:
            TemplateError: It cannot be read.
        """
        if self.text is None and os.path.exists(self.path) and os.path.getsize(self.path) > LARGEST_SCANNED_BYTES:
            return b""
        return self.content()
