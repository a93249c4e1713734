"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How good or bad it is."""

    OK = "ok"
    WARNING = "warning"
    """Tests run, but more slowly, fewer at once, or not all of them."""
    ERROR = "error"
    """Tests fail."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        id: What scripts know it by, ``ports`` for instance.
        title: What was looked at.
        found: The actual values.
        verdict: How good or bad that is.
        meaning: What it means for those who run tests. Empty: nothing.
        remedy: What to do about it, where there is something to do.
    """

    id: str
    title: str
    found: str
    verdict: Verdict = Verdict.OK
    meaning: str = ""
    remedy: str = ""


def warning(id: str, title: str, found: str, *, meaning: str, remedy: str) -> Finding:  # noqa: A002 - the field's name
    """Return a finding with which tests run, but not as they could."""
    return Finding(id, title, found, Verdict.WARNING, meaning, remedy)


def error(id: str, title: str, found: str, *, meaning: str, remedy: str) -> Finding:  # noqa: A002 - the field's name
    """Return a finding with which tests fail."""
    return Finding(id, title, found, Verdict.ERROR, meaning, remedy)
