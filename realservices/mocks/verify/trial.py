"""Try mutants with the old and the new test at once: a process for each, and one mutant after the other in it.

So the tests of one side never meet each other, whatever they share, and both processors are busy.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.mocks.verify.errors import VerifyError
from realservices.mocks.verify.forks import ForkServer
from realservices.mocks.verify.mutant_comparison import Compared, Look, Sight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from realservices.mocks.verify.forks import Run
    from realservices.mocks.verify.mutant_selection import Candidate
    from realservices.mocks.verify.runs import Covered, Side

_FIRST_TIMEOUT_S = 60.0
_TIMES = 5
_LEAST_S = 4.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long trying may take.

    Attributes:
        total_s: All mutants together.
        mutant_s: One of them; None is derived from the tests without a change.
    """

    total_s: float
    mutant_s: float | None = None


class Bench:
    """One side, ready to try mutants; ended with `close`.

    Args:
        side: The test.
        covered: What its run under coverage found.
        root: The project's root.

    Attributes:
        tests: Its tests that pass again without a change.
        unsteady: Those that do not.

    Raises:
        VerifyError: None of them passes again.
    """

    def __init__(self, side: Side, covered: Covered, root: Path) -> None:
        self._side = side
        expected = covered.passing()
        self._server, run = self._warmed(expected, covered, root)
        self.outcomes = run.tests
        self.tests = [name for name in expected if name in run.tests and run.tests[name].outcome == "passed"]
        self.unsteady = [name for name in expected if name not in self.tests]
        if expected and not self.tests:
            self.close()
            raise VerifyError(
                f"the tests of the {side.name} {side.test.name} pass only once: run again, {run.noticed_by(expected)}; "
                f"what they leave behind must be undone\n{_reasons(run)}"
            )
        self._overhead_s = max(0.0, run.seconds - sum(test.seconds for test in run.tests.values()))

    def look(self, candidate: Candidate, tests: Sequence[str], root: Path, source: str, limit_s: float | None) -> Look:
        """Run the tests that reach a mutant with it."""
        if not tests:
            return Look(sight=Sight.NOT_RUN)
        run = self._server.run(tests, limit_s or self._limit_s(tests), root / candidate.mutant.path, source)
        by = run.noticed_by(tests)
        if by is None and not run.is_applied:
            return Look(sight=Sight.NOT_APPLIED, seconds=run.seconds)
        return Look(sight=Sight.NOTICED if by else Sight.MISSED, by=by or "", seconds=run.seconds)

    def check_again(self) -> None:
        """Run the tests without a change once more.

        Raises:
            VerifyError: They do not pass any more: what was noticed since may not be the mutants' doing.
        """
        run = self._server.run(self.tests, self._limit_s(self.tests) + _FIRST_TIMEOUT_S)
        if noticed := run.noticed_by(self.tests):
            raise VerifyError(
                f"the tests of the {self._side.name} {self._side.test.name} do not pass any more when the mutants have "
                f"been tried ({noticed}), so the comparison is void: a service has died, or a mutant has left "
                f"something behind\n{_reasons(run)}"
            )

    def close(self) -> None:
        """End its process."""
        self._server.close()

    def _limit_s(self, tests: Sequence[str]) -> float:
        own = sum(self.outcomes[name].seconds for name in tests)
        return _LEAST_S + _TIMES * (self._overhead_s + own)

    def _warmed(self, expected: Sequence[str], covered: Covered, root: Path) -> tuple[ForkServer, Run]:
        """Return a process that has imported what saves time, or nothing where the tests do not pass with that."""
        timeout_s = _FIRST_TIMEOUT_S + _TIMES * sum(test.seconds for test in covered.tests.values())
        for modules in (covered.modules, ()):
            server = ForkServer(self._side, root, modules)
            try:
                if server.is_clean or not modules:
                    run = server.run(expected, timeout_s)
                    if run.noticed_by(expected) is None or not modules:
                        return server, run
            except BaseException:
                server.close()
                raise
            server.close()
        raise AssertionError("unreachable")


def try_mutants(
    benches: tuple[Bench, Bench],
    found: Sequence[Candidate],
    root: Path,
    limits: Limits,
    progress: Callable[[int], None],
) -> list[Compared]:
    """Return what both tests do about mutants, as far as the time allows.

    Args:
        benches: The old and the new side.
        found: The mutants.
        root: The project's root.
        limits: How long it may take.
        progress: Is told how many are done.
    """
    contents = {each.mutant.path: (root / each.mutant.path).read_bytes() for each in found}
    deadline = time.monotonic() + limits.total_s
    looks: tuple[list[Look], list[Look]] = ([], [])
    lock = threading.Lock()

    def work(side: int) -> None:
        for candidate in found:
            if time.monotonic() > deadline:
                return
            source = candidate.mutant.source(contents[candidate.mutant.path]).decode()
            look = benches[side].look(candidate, candidate.tests[side], root, source, limits.mutant_s)
            with lock:
                looks[side].append(look)
                progress(min(map(len, looks)))

    _at_once(benches, work)
    for bench in benches:
        bench.check_again()
    return [
        Compared(mutant=each.mutant, diff=each.mutant.diff(contents[each.mutant.path]), old=old, new=new)
        for each, old, new in zip(found, *looks, strict=False)
    ]


def _at_once(benches: tuple[Bench, Bench], work: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(work, side) for side in range(2)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            # Ctrl-C, or an error of one side: the other one is not waited for.
            for bench in benches:
                bench.close()
            raise


def _reasons(run: Run) -> str:
    reasons = [*run.errors, *(test.reason for test in run.tests.values() if test.outcome == "failed")]
    return "\n".join(f"    {line}" for reason in reasons[:3] for line in reason.splitlines()[:5])
