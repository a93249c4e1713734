"""What a report consists of. `dataclasses.asdict` of these is report.json; the page shows nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PASSED = "passed"
FLAKY = "flaky"
FAILED = "failed"
TIMED_OUT = "timed_out"
SERVICE_FAILED = "service_failed"
MACHINE_FAILED = "machine_failed"
NOT_BUILT = "not_built"
NOT_FINISHED = "not_finished"
SKIPPED = "skipped"

# Worst first: what a target is where its shards or runs differ.
STATUSES = (
    FAILED,
    TIMED_OUT,
    SERVICE_FAILED,
    MACHINE_FAILED,
    NOT_BUILT,
    NOT_FINISHED,
    FLAKY,
    PASSED,
    SKIPPED,
)
FAILURES = frozenset({FAILED, TIMED_OUT, SERVICE_FAILED, MACHINE_FAILED, NOT_BUILT, NOT_FINISHED})


@dataclass(frozen=True)
class Log:
    """The end of a file.

    Args:
        name: How the file is called.
        text: Its last lines.
        omitted_bytes: How much stands before them.
    """

    name: str
    text: str
    omitted_bytes: int = 0


@dataclass(frozen=True)
class Case:
    """A test case of a JUnit file.

    Args:
        name: Class name and name.
        status: ``passed``, ``failed``, ``error`` or ``skipped``.
        time_s: How long it took.
        message: Why it failed or was skipped, in a line or few.
        text: The whole explanation, its end at least.
    """

    name: str
    status: str
    time_s: float
    message: str = ""
    text: str = ""


@dataclass(frozen=True)
class Service:
    """A service of a test action. Times in milliseconds; None is for what is not known.

    Args:
        name: Its name within the test.
        kind: ``postgres``, ``redis``, ``executable`` and the like.
        label: The target that declares it.
        needs: Names of the services that it waited for.
        state: Its state when the test was over: ``ready``, ``failed``, ``waiting`` (never started) and the like.
        started_ms: When it was started, from the launcher's start.
        ready_ms: From then until it served.
        ports: Its ports by name.
        cpu_ms: Processor time of its processes.
        peak_mb: The most memory that one of its processes held, in megabytes.
        is_critical: Whether it is on the chain that all others were ready before.
        cause: What went wrong, or "".
        log_tail: The last lines of its log, where something went wrong.
    """

    name: str
    kind: str = ""
    label: str = ""
    needs: Sequence[str] = ()
    state: str = ""
    started_ms: float | None = None
    ready_ms: float | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    cpu_ms: float | None = None
    peak_mb: float | None = None
    is_critical: bool = False
    cause: str = ""
    log_tail: str = ""


@dataclass(frozen=True)
class Program:
    """The test program beside the services: times as for them, ``started_ms`` and ``ended_ms`` from the same zero."""

    started_ms: float | None = None
    ended_ms: float | None = None
    cpu_ms: float | None = None
    peak_mb: float | None = None


@dataclass(frozen=True)
class Attempt:
    """One test action: one attempt of one shard of one run.

    Args:
        run: From 1; more than one with ``--runs_per_test``.
        shard: From 1.
        attempt: From 1; more than one for a target that is flaky or with ``--flaky_test_attempts``.
        status: One of `STATUSES`.
        started_epoch_ms: When it was started.
        duration_ms: How long it took when it ran.
        cache: ``""`` where it ran now, else where its result came from: ``local``, ``disk`` or ``remote``.
        strategy: How it ran: ``linux-sandbox`` and the like.
        timing: Bazel's breakdown of the time, in milliseconds; what is zero is left out.
        why: Why it did not pass, in a few lines, or "".
        counts: Number of test cases by status.
        cases: Those that did not pass, and the slowest ones.
        services: Its services.
        services_ready_ms: From the launcher's start until all services were ready, or None.
        critical_path: Names of the services that determined that, first one first.
        program: The test program, or None where nothing says anything of it.
        logs: What was logged, where it did not pass.
        notes: What could not be read.
    """

    run: int
    shard: int
    attempt: int
    status: str
    started_epoch_ms: float
    duration_ms: float
    cache: str = ""
    strategy: str = ""
    timing: Mapping[str, float] = field(default_factory=dict)
    why: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    cases: Sequence[Case] = ()
    services: Sequence[Service] = ()
    services_ready_ms: float | None = None
    critical_path: Sequence[str] = ()
    program: Program | None = None
    logs: Sequence[Log] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Target:
    """A test target in one configuration.

    Args:
        label: Its label.
        kind: The rule.
        size: ``SMALL`` and the like.
        timeout_s: Its time-out, or None where it is not known.
        status: One of `STATUSES`: the worst of its attempts that counted.
        duration_ms: Its longest attempt; that is how long the build waits for it at least.
        shards: How many shards it has.
        cached: How many of its attempts were taken from a cache.
        why: Why it did not pass.
        attempts: By run, shard and attempt.
    """

    label: str
    kind: str
    size: str
    timeout_s: float | None
    status: str
    duration_ms: float
    shards: int
    cached: int
    why: str = ""
    attempts: Sequence[Attempt] = ()


@dataclass(frozen=True)
class BuildFailure:
    """An action of the build, or a target, that failed and kept tests from running."""

    label: str
    what: str
    message: str
    log: Log | None = None


@dataclass(frozen=True)
class Build:
    """The invocation of Bazel, or of pytest.

    Args:
        program: ``bazel`` or ``pytest``.
        command: ``test`` and the like.
        patterns: The targets that were asked for.
        bazel: Bazel's version, or "".
        started_epoch_ms: When it was started.
        duration_ms: How long it took, or None where the file ends before the build did.
        exit: Bazel's name for how it ended, or "".
        processes: How many actions were run, by strategy.
        critical_path: The chain of actions that took longest, as Bazel tells it, or "".
        problems: What is wrong with the build event file.
    """

    command: str = ""
    patterns: Sequence[str] = ()
    bazel: str = ""
    started_epoch_ms: float = 0.0
    duration_ms: float | None = None
    exit: str = ""
    processes: Mapping[str, int] = field(default_factory=dict)
    critical_path: str = ""
    problems: Sequence[str] = ()
    program: str = "bazel"


@dataclass(frozen=True)
class Change:
    """A target whose duration changed, in milliseconds."""

    label: str
    before_ms: float
    after_ms: float


@dataclass(frozen=True)
class Comparison:
    """What differs from a previous run. Labels, sorted.

    Args:
        started_epoch_ms: When the previous run was started.
        new_failures: Fail now, did not before (or were not there).
        still_failing: Failed before, too.
        fixed: Failed before, pass now.
        new_flaky: Flaky now, not before.
        slower: Took longer by `comparison.SLOWER_RATIO` and `comparison.SLOWER_MS` at least.
        faster: The other way round.
        added: Were not in the previous run.
        removed: Are not in this one.
    """

    started_epoch_ms: float
    new_failures: Sequence[str] = ()
    still_failing: Sequence[str] = ()
    fixed: Sequence[str] = ()
    new_flaky: Sequence[str] = ()
    slower: Sequence[Change] = ()
    faster: Sequence[Change] = ()
    added: Sequence[str] = ()
    removed: Sequence[str] = ()
