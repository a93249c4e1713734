"""One line of a checklist."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class State(enum.StrEnum):
    """How a line of a checklist is."""

    DONE = "done"
    OPEN = "open"
    UNKNOWN = "unknown"
    """It cannot be told from the files: the detail says what would tell it."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One line of a checklist.

    Attributes:
        what: What is to be done.
        state: How it is.
        detail: What says so; where it is open, what is left.
    """

    what: str
    state: State
    detail: str = ""


def item(what: str, is_done: bool, left: str = "", why: str = "") -> Item:
    """Return a line that is done or open.

    Args:
        what: What is to be done.
        is_done: Whether it is.
        left: What is left, where it is open.
        why: What says so, where it is done.
    """
    return Item(what=what, state=State.DONE if is_done else State.OPEN, detail=why if is_done else left)
