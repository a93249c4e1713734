"""What became of a file: which tests were converted, and which were left, with the reason and the remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Unconvertible(Exception):  # noqa: N818 - a verdict on a test, which is reported, and no failure of the tool
    """A test, or something in it, that cannot be converted.

    Args:
        line: Where, from 1.
        what: The piece of code.
        why: What stands in the way.
        remedy: What a person can do.
    """

    def __init__(self, line: int, what: str, why: str, remedy: str) -> None:
        super().__init__(f"line {line}: {what}: {why}")
        self.line, self.what, self.why, self.remedy = line, what, why, remedy


@dataclass(frozen=True, kw_only=True)
class Left:
    """A test that stays as it is.

    Attributes:
        test: Its name, with that of its class.
        line: Where the obstacle is, from 1.
        what: The piece of code.
        why: What stands in the way.
        remedy: What a person can do.
    """

    test: str
    line: int
    what: str
    why: str
    remedy: str

    def content(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"test": self.test, "line": self.line, "what": self.what, "why": self.why, "remedy": self.remedy}


@dataclass(kw_only=True)
class FileResult:
    """What became of a file.

    Attributes:
        path: The file.
        before: Its text.
        after: Its text as converted; the same where nothing was.
        converted: Names of tests that are on real services now.
        left: Tests with mocks of services that stay as they are.
        notes: What a reader of the diff should know: assertions on reads that have no counterpart, and the like.
        services: Kinds of services that converted tests use.
        error: Why nothing could be done with the file, "" where that is not so.
    """

    path: Path
    before: str = ""
    after: str = ""
    converted: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    error: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether there is something to write."""
        return self.after != self.before

    def content(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "file": str(self.path),
            "converted": self.converted,
            "left": [left.content() for left in self.left],
            "notes": self.notes,
            "services": sorted(self.services),
            "error": self.error,
        }
