"""What a comparison has found: of tests, of lines, and of each mutant whether old and new test notice it."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realservices.mocks.verify.mutants.mutant_model import Mutant
    from realservices.mocks.verify.runs import Outcome


class Verdict(enum.StrEnum):
    """What the new test is worth against the old one."""

    OK = "ok"
    LOST = "lost"
    """It misses what the old one notices."""
    FAILING = "failing"
    """It fails before anything is broken."""


class Result(enum.StrEnum):
    """Which of the two tests notice a mutant."""

    KEPT = "kept"
    GAINED = "gained"
    LOST = "lost"
    NEITHER = "neither"


class Sight(enum.StrEnum):
    """What a test does about a mutant."""

    NOTICED = "noticed"
    MISSED = "missed"
    NOT_RUN = "not run"
    """None of its tests runs the line."""
    NOT_APPLIED = "not applied"
    """The changed file was not imported: it was there before the tests."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one of the two tests does about a mutant.

    Attributes:
        sight: Whether it notices.
        by: The test that noticed it, or how the run ended.
        seconds: How long it took.
    """

    sight: Sight
    by: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A mutant that was tried.

    Attributes:
        mutant: The mutant.
        diff: The lines that it changes.
        old: What the old test does about it.
        new: What the new one does.
    """

    mutant: Mutant
    diff: str
    old: Look
    new: Look

    @property
    def result(self) -> Result:
        """Which of the two notice it."""
        old, new = (look.sight is Sight.NOTICED for look in (self.old, self.new))
        if old:
            return Result.KEPT if new else Result.LOST
        return Result.GAINED if new else Result.NEITHER


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A test as it was and as it is; one of them may be missing.

    Attributes:
        name: Its name within the file.
        old: What became of the old one.
        new: What became of the new one.
        lines: How many lines of the code under test the old and the new one run.
    """

    name: str
    old: Outcome | None
    new: Outcome | None
    lines: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The result for one test file.

    Attributes:
        test: The new test, from the project's root.
        old: What people call the old version.
        pairs: The tests, in the new one's order.
        lines: By file the lines of the code under test that the old and the new test run.
        failing: Why nothing was broken: the new test fails, or all of the old one does.
        mutants: What was tried.
        found: How many mutants there are of lines that a test runs.
        seconds: How long trying them took.
        notes: What else people should know.
    """

    test: str
    old: str
    pairs: tuple[Pair, ...]
    lines: dict[str, tuple[frozenset[int], frozenset[int]]] = field(default_factory=dict)
    failing: str = ""
    mutants: tuple[Compared, ...] = ()
    found: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """What the new test is worth."""
        if self.failing:
            return Verdict.FAILING
        return Verdict.LOST if self.of(Result.LOST) else Verdict.OK

    def of(self, result: Result) -> list[Compared]:
        """Return the mutants with one result, in the order of files and lines."""
        return [each for each in self.mutants if each.result is result]

    def counts(self) -> dict[str, Counter[Result]]:
        """Return how many mutants of each file have each result."""
        counted: dict[str, Counter[Result]] = {}
        for each in self.mutants:
            counted.setdefault(each.mutant.path, Counter())[each.result] += 1
        return counted

    @property
    def mutants_per_s(self) -> float:
        """How many mutants were tried in a second, each with both tests."""
        return len(self.mutants) / self.seconds if self.seconds else 0.0
