"""The whole of a comparison: from a test's path to what old and new test notice."""

from __future__ import annotations

import contextlib
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from realservices.contract.user_variables import REQUIRE
from realservices.isolation.isolation_manager import process_manager
from realservices.mocks.verify.errors import VerifyError
from realservices.mocks.verify.mutant_comparison import Comparison, Pair
from realservices.mocks.verify.mutant_selection import candidates, files_under_test, spread
from realservices.mocks.verify.old_version import find_old_version
from realservices.mocks.verify.runs import Runs, Side, run_covered
from realservices.mocks.verify.snapshot import make_snapshot
from realservices.mocks.verify.tested_project import find_project
from realservices.mocks.verify.trial import Bench, Limits, try_mutants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from realservices.mocks.verify.old_version import OldVersion
    from realservices.mocks.verify.runs import Covered
    from realservices.mocks.verify.tested_project import Project

_SHOWN_FAILURES = 5
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """What the user wants.

    Attributes:
        old: The old test's file, if it is named.
        revision: The old test's revision, if it is named.
        sources: Files and directories that are the code under test; empty: all of the project's that the tests run.
        max_mutants: How many mutants to try at most.
        limits: How long that may take.
        arguments: More arguments for pytest.
    """

    old: Path | None = None
    revision: str | None = None
    sources: tuple[Path, ...] = ()
    max_mutants: int = 500
    limits: Limits
    arguments: tuple[str, ...] = ()


def verify(test: Path, options: VerifyOptions, progress: Callable[[str], None]) -> Comparison:
    """Compare a test with its old version.

    Args:
        test: The new test's file.
        options: What the user wants.
        progress: Is told what is under way.

    Raises:
        VerifyError: They cannot be compared.
    """
    project = find_project()
    path = project.test_file(test)
    sources = tuple(project.relative(source) for source in options.sources)
    for source in sources:
        if not (project.root / source).exists():
            raise VerifyError(f"--source {source}: there is no such file or directory in {project.root}")
    old = find_old_version(project, path, old=options.old, revision=options.revision)
    with tempfile.TemporaryDirectory(prefix="realservices-verify-") as scratch:
        sides = _sides(project, path, old, Path(scratch).resolve(), options)
        return _Session(project, path, old, sides, progress).run(sources, options)


@contextlib.contextmanager
def shared_services() -> Iterator[None]:
    """Have all processes that are started meanwhile use the same services, which serve until the end."""
    manager = process_manager()
    manager.services.share()
    try:
        yield
    finally:
        manager.close()


def _sides(project: Project, path: str, old: OldVersion, scratch: Path, options: VerifyOptions) -> tuple[Side, Side]:
    root = project.root
    if old.commit:
        assert project.repository
        root = scratch / "snapshot" / root.name
        make_snapshot(project.repository, old.commit, path, root)
    for name in ("old", "new"):
        (scratch / name).mkdir()
    below = project.directory.relative_to(project.root)
    return (
        Side(
            name="old", test=root / old.path, directory=root / below, scratch=scratch / "old",
            arguments=options.arguments,
        ),
        Side(
            name="new", test=project.root / path, directory=project.directory, scratch=scratch / "new",
            arguments=options.arguments, environment={REQUIRE: "1"},
        ),
    )  # fmt: skip


class _Session:
    def __init__(
        self, project: Project, test: str, old: OldVersion, sides: tuple[Side, Side], progress: Callable[[str], None]
    ) -> None:
        self._project = project
        self._test = test
        self._old = old
        self._sides = sides
        self._progress = progress

    def run(self, sources: tuple[str, ...], options: VerifyOptions) -> Comparison:
        self._progress("running the old and the new test under coverage")
        runs = Runs()
        covered = _both(lambda index: run_covered(self._sides[index], self._project.root, runs), runs.end)
        failing = _failing_new(covered[1]) or _failing_old(covered[0])
        if failing:
            return self._comparison(covered, [], failing=failing)
        paths = files_under_test(self._project, covered, sources)
        with contextlib.ExitStack() as stack:
            self._progress("running them again, without coverage")
            benches = _both(lambda index: self._bench(index, covered, stack), lambda: None)
            tests = (benches[0].tests, benches[1].tests)
            found, notes = candidates(self._project, paths, covered, tests)
            if not found:
                raise VerifyError(f"there is nothing to break in the lines of {', '.join(paths)} that the tests run")
            chosen = spread(found, options.max_mutants)
            begin = time.monotonic()
            tried = try_mutants(
                benches, chosen, self._project.root, options.limits,
                lambda done: self._progress(f"{done} of {len(chosen)} mutants tried"),
            )  # fmt: skip
            seconds = time.monotonic() - begin
        comparison = self._comparison(covered, paths, benches=benches)
        notes = [*_notes_on_tests(covered, benches), *notes, *comparison.notes]
        return Comparison(
            **{
                **vars(comparison),
                "mutants": tuple(tried),
                "found": len(found),
                "seconds": seconds,
                "notes": tuple(notes),
            }
        )

    def _bench(self, index: int, covered: tuple[Covered, Covered], stack: contextlib.ExitStack) -> Bench:
        bench = Bench(self._sides[index], covered[index], self._project.root)
        stack.callback(bench.close)
        return bench

    def _comparison(
        self, covered: tuple[Covered, Covered], paths: Sequence[str], *, failing: str = "",
        benches: tuple[Bench, Bench] | None = None,
    ) -> Comparison:  # fmt: skip
        lines = {
            path: (frozenset(covered[0].lines.get(path, ())), frozenset(covered[1].lines.get(path, ())))
            for path in paths
        }
        pairs = tuple(_pairs(covered, paths, benches))
        return Comparison(test=self._test, old=self._old.shown, pairs=pairs, lines=lines, failing=failing)


def _both(work: Callable[[int], _T], end: Callable[[], None]) -> tuple[_T, _T]:
    """Do something for the old and the new side at once.

    Args:
        work: What to do.
        end: Has it end, where one of the sides fails or this process is interrupted.
    """
    with ThreadPoolExecutor(2) as pool:
        try:
            old, new = pool.map(work, range(2))
        except BaseException:
            end()
            raise
    return old, new


def _pairs(
    covered: tuple[Covered, Covered], paths: Sequence[str], benches: tuple[Bench, Bench] | None
) -> Iterator[Pair]:
    names = [*covered[1].tests, *(name for name in covered[0].tests if name not in covered[1].tests)]
    for name in names:
        # Without coverage, and with services that serve already, where that has been measured.
        measured = [bench.outcomes.get(name) for bench in benches] if benches else [None, None]
        old, new = (again or side.tests.get(name) for again, side in zip(measured, covered, strict=True))
        lines = [
            sum(name in tests for path in paths for tests in side.lines.get(path, {}).values()) for side in covered
        ]
        yield Pair(name=name, old=old, new=new, lines=(lines[0], lines[1]))


def _failing_new(covered: Covered) -> str:
    failed = _failed(covered)
    if not failed and not covered.passing():
        return f"no test of the new one passes: {_first_reason(covered)}"
    if not failed:
        return ""
    return (
        f"the new test fails before anything is broken: the conversion is not right, or the real service has found "
        f"what the mock hid\n{failed}"
    )


def _failing_old(covered: Covered) -> str:
    if covered.passing():
        return ""
    return f"no test of the old one passes, so there is nothing to compare with\n{_failed(covered)}".rstrip()


def _failed(covered: Covered) -> str:
    shown = [
        f"  {name}: {_first_line(test.reason)}" for name, test in covered.tests.items() if test.outcome == "failed"
    ]
    shown += [
        f"  {name}: the process ended in it" for name, each in covered.tests.items() if each.outcome == "unfinished"
    ]
    shown += [
        "  its import fails:\n" + "\n".join(f"    {line}" for line in e.splitlines()[-8:]) for e in covered.errors
    ]
    more = [f"  and {len(shown) - _SHOWN_FAILURES} more"] if len(shown) > _SHOWN_FAILURES else []
    return "\n".join([*shown[:_SHOWN_FAILURES], *more])


def _first_reason(covered: Covered) -> str:
    return next((f"{test.outcome}: {_first_line(test.reason)}" for test in covered.tests.values()), "there is none")


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _notes_on_tests(covered: tuple[Covered, Covered], benches: tuple[Bench, Bench]) -> Iterator[str]:
    failed = [name for name, test in covered[0].tests.items() if test.outcome in ("failed", "unfinished")]
    if failed:
        yield f"old tests that fail already are left out: {', '.join(failed)}"
    for name, bench in zip(("old", "new"), benches, strict=True):
        if bench.unsteady:
            yield f"{name} tests that pass only now and then are left out: {', '.join(bench.unsteady)}"
