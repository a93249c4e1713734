"""This run beside a previous one: what fails that did not, what is mended, what became slower."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from realservices.report.report_model import FAILURES, FLAKY, PASSED, STATUSES, Change, Comparison

# Both are needed: a tenth of a second more is nothing, even where it is double; nor is a second in ten minutes.
SLOWER_RATIO = 1.25
SLOWER_MS = 500.0

# Status and duration in milliseconds.
Outcome = tuple[str, float]


def outcomes(targets: Iterable[tuple[str, str, float]]) -> dict[str, Outcome]:
    """Return the outcome of each label, the worst where a target was tested in several configurations.

    Args:
        targets: Label, status and duration of each.
    """
    found: dict[str, Outcome] = {}
    for label, status, duration_ms in targets:
        old_status, old_ms = found.get(label, (status, 0.0))
        worst = min(status, old_status, key=STATUSES.index)
        found[label] = (worst, max(duration_ms, old_ms))
    return found


def compare(before: Mapping[str, Outcome], after: Mapping[str, Outcome], started_epoch_ms: float) -> Comparison:
    """Return what changed.

    Args:
        before: The previous run.
        after: This one.
        started_epoch_ms: When the previous run was started.
    """
    failed_before = {label for label, (status, _) in before.items() if status in FAILURES}
    fails = {label for label, (status, _) in after.items() if status in FAILURES}
    flaky = {label for label, (status, _) in after.items() if status == FLAKY}
    changes = [
        Change(label, before[label][1], duration_ms)
        for label, (status, duration_ms) in sorted(after.items())
        if status == PASSED and before.get(label, ("", 0.0))[0] == PASSED
    ]
    return Comparison(
        started_epoch_ms=started_epoch_ms,
        new_failures=sorted(fails - failed_before),
        still_failing=sorted(fails & failed_before),
        fixed=sorted(label for label in failed_before if after.get(label, ("", 0.0))[0] == PASSED),
        new_flaky=sorted(label for label in flaky if before.get(label, ("", 0.0))[0] != FLAKY),
        slower=[change for change in changes if _is_more(change.before_ms, change.after_ms)],
        faster=[change for change in changes if _is_more(change.after_ms, change.before_ms)],
        added=sorted(set(after) - set(before)),
        removed=sorted(set(before) - set(after)),
    )


def _is_more(less_ms: float, more_ms: float) -> bool:
    return more_ms - less_ms >= SLOWER_MS and more_ms >= less_ms * SLOWER_RATIO
