"""Test targets: attempts put together, with Bazel's own verdict; and what kept targets from being built."""

from __future__ import annotations

from collections.abc import Sequence

from realservices.report.attempts import read_attempt
from realservices.report.build_events import BuildEvents, TargetKey, target_key
from realservices.report.outputs import read_tail
from realservices.report.report_model import (
    FAILED,
    FLAKY,
    NOT_BUILT,
    NOT_FINISHED,
    PASSED,
    SKIPPED,
    STATUSES,
    Attempt,
    BuildFailure,
    Target,
)

_MOST_WORDS = 600


def read_targets(events: BuildEvents, *, reads_files: bool = True) -> list[Target]:
    """Return the test targets, by label."""
    attempts: dict[TargetKey, list[Attempt]] = {}
    for identity, result in events.results:
        key = target_key(identity)
        attempts.setdefault(key, []).append(read_attempt(identity, result, key[0], reads_files))
    tests = {label for label, configured in events.configured.items() if "testSize" in configured}
    unbuilt = {key for key in (*events.completed, *events.aborted) if key[0] in tests}
    # A target that was aborted before it had a configuration is named by others as well.
    known = set(attempts) | set(events.summaries) | {key for key in unbuilt if key[1]}
    known |= {key for key in unbuilt if key[0] not in {label for label, _ in known}}
    return [_target(events, key, attempts.get(key, [])) for key in sorted(known)]


def read_build_failures(events: BuildEvents) -> list[BuildFailure]:
    """Return what failed before any test could run: actions, and targets that could not be analysed."""
    found: dict[str, BuildFailure] = {}
    for action in events.failed_actions:
        label = action.get("label") or action["id"].get("label", "")
        kind = action.get("type", "")
        if kind == "TestRunner":
            continue  # The test's own result says it better.
        uri = action.get("stderr", {}).get("uri", "")
        message = action.get("failureDetail", {}).get("message", "") or f"exit code {action.get('exitCode', 1)}"
        log = read_tail(uri, "stderr") if uri else None
        found[f"{label} {kind}"] = BuildFailure(label, kind, _first_paragraph(message), log)
    for (label, _), (reason, description) in events.aborted.items():
        if reason not in ("SKIPPED", "") and not any(failure.label == label for failure in found.values()):
            words = description or "Bazel's console output says why"
            found[label] = BuildFailure(label, reason.lower().replace("_", " "), words[:_MOST_WORDS])
    return list(found.values())


def _target(events: BuildEvents, key: TargetKey, attempts: list[Attempt]) -> Target:
    label = key[0]
    attempts = sorted(attempts, key=lambda one: (one.run, one.shard, one.attempt))
    configured = events.configured.get(label, {})
    status = _status(events, key, attempts)
    timeout = events.completed.get(key, {}).get("testTimeout", "").removesuffix("s")
    return Target(
        label=label,
        kind=configured.get("targetKind", "").removesuffix(" rule"),
        size=configured.get("testSize", ""),
        timeout_s=float(timeout) if timeout else None,
        status=status,
        duration_ms=_duration_ms(attempts),
        shards=max((attempt.shard for attempt in attempts), default=1),
        cached=sum(1 for attempt in attempts if attempt.cache),
        why=_why(events, key, status, attempts),
        attempts=attempts,
    )


def _last(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the attempts that counted: the last one of each shard of each run."""
    return list({(attempt.run, attempt.shard): attempt for attempt in attempts}.values())


def _status(events: BuildEvents, key: TargetKey, attempts: Sequence[Attempt]) -> str:
    overall = events.summaries.get(key, {}).get("overallStatus", "")
    if not attempts:
        reason, _ = events.aborted.get(key, ("", ""))
        if reason == "SKIPPED":
            return SKIPPED
        is_built = events.completed.get(key, {}).get("success", False)
        return NOT_FINISHED if is_built or overall in ("NO_STATUS", "INCOMPLETE") else NOT_BUILT
    if overall == "FLAKY":
        return FLAKY
    worst = min((attempt.status for attempt in _last(attempts)), key=STATUSES.index)
    if worst != PASSED:
        return worst
    if overall in ("PASSED", "FLAKY"):
        return PASSED
    # Every result that there is has passed, but Bazel has not: shards are missing, or the build was interrupted.
    return FAILED if overall == "FAILED" else NOT_FINISHED


def _why(events: BuildEvents, key: TargetKey, status: str, attempts: Sequence[Attempt]) -> str:
    if status == NOT_BUILT:
        message = events.completed.get(key, {}).get("failureDetail", {}).get("message", "")
        return _first_paragraph(message) or events.aborted.get(key, ("", ""))[1] or "it was not built"
    if status == SKIPPED:
        return events.aborted.get(key, ("", ""))[1] or "it does not go with the platform"
    if status == NOT_FINISHED:
        return "it was built, but Bazel reported no result" if not attempts else "not all of its results are there"
    reasons = [attempt.why for attempt in attempts if attempt.status == status and attempt.why]
    if status == FLAKY:
        reasons = [attempt.why for attempt in attempts if attempt.status != PASSED and attempt.why]
        # Bazel keeps such a result, but not the attempts that did not pass.
        reasons = reasons or ["it was flaky when it was run; this result came from a cache"]
    return reasons[0] if reasons else ""


def _duration_ms(attempts: Sequence[Attempt]) -> float:
    """Return how long the slowest shard took with all of its attempts, which follow each other."""
    sums: dict[tuple[int, int], float] = {}
    for attempt in attempts:
        place = (attempt.run, attempt.shard)
        sums[place] = sums.get(place, 0.0) + attempt.duration_ms
    return max(sums.values(), default=0.0)


def _first_paragraph(message: str) -> str:
    return message.partition("\n\n")[0].strip()[:_MOST_WORDS]
