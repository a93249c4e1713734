"""Which mutants are tried: those of lines that a test runs, and no more than the limit, spread over the files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.mocks.verify.errors import VerifyError
from realservices.mocks.verify.mutants.mutant_finder import mutants_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.mocks.verify.mutants.mutant_model import Mutant
    from realservices.mocks.verify.runs import Covered
    from realservices.mocks.verify.tested_project import Project


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A mutant, and the tests that run its line.

    Attributes:
        mutant: The mutant.
        tests: Their names, of the old and of the new test.
    """

    mutant: Mutant
    tests: tuple[tuple[str, ...], tuple[str, ...]]


def files_under_test(project: Project, sides: Sequence[Covered], sources: tuple[str, ...]) -> list[str]:
    """Return the code under test that either test runs, from the project's root.

    Raises:
        VerifyError: There is none.
    """
    covered = sorted({path for side in sides for path in side.lines})
    # Of an empty file a line is run, too.
    full = [path for path in covered if (project.root / path).stat().st_size]
    found = [path for path in full if project.is_under_test(path, sources)]
    if not found:
        where = f"of {', '.join(sources)} " if sources else ""
        ran = f"; they run {', '.join(covered[:5])}" if covered else ""
        raise VerifyError(
            f"neither the old nor the new test runs a line {where}of the code under test in {project.root}{ran}; "
            "name it with --source, or mend the tests' imports"
        )
    return found


def candidates(
    project: Project, paths: Sequence[str], sides: tuple[Covered, Covered], tests: tuple[list[str], list[str]]
) -> tuple[list[Candidate], list[str]]:
    """Return the mutants whose line a test runs, and notes on files that have none.

    Args:
        project: The project.
        paths: The code under test.
        sides: What the old and the new test cover.
        tests: Their tests that count.
    """
    found: list[Candidate] = []
    notes: list[str] = []
    for path in paths:
        try:
            found += _candidates_of(path, (project.root / path).read_bytes(), sides, tests)
        except (SyntaxError, ValueError, OSError) as error:
            notes.append(f"{path} is not broken: it cannot be read as Python in UTF-8: {error}")
    return found, notes


def _candidates_of(
    path: str, content: bytes, sides: tuple[Covered, Covered], tests: tuple[list[str], list[str]]
) -> list[Candidate]:
    def tests_of(lines: tuple[int, int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        numbers = range(lines[0], lines[1] + 1)
        old, new = (tuple(side.covering(path, numbers, each)) for side, each in zip(sides, tests, strict=True))
        return old, new

    mutants = mutants_of(path, content, lambda lines: any(tests_of(lines)))
    return [Candidate(mutant=mutant, tests=tests_of(mutant.lines)) for mutant in mutants]


def spread(found: Sequence[Candidate], limit: int) -> list[Candidate]:
    """Return at most so many, at even distances."""
    if len(found) <= limit:
        return list(found)
    return [found[index * len(found) // limit] for index in range(limit)]
