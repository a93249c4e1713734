"""What a run's test actions took together: start-up by service, chains that were waited for, caches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from realservices.report.report_model import Attempt, Service, Target


@dataclass(frozen=True)
class ServiceSummary:
    """All starts of one service in this run; those of cached results are from another one and do not count.

    Args:
        label: The target that declares it.
        kind: ``postgres`` and the like.
        starts: How many there were.
        ready_ms: How long each took, shortest first; those that never served are left out.
        median_ms: The middle one, or None.
        p90_ms: What nine of ten stayed below, or None.
        failures: How many of them failed.
        cpu_ms: Processor time of all together.
        peak_mb: The most memory that a process of one of them held, or None.
    """

    label: str
    kind: str
    starts: int
    ready_ms: Sequence[float]
    median_ms: float | None
    p90_ms: float | None
    failures: int
    cpu_ms: float
    peak_mb: float | None


@dataclass(frozen=True)
class Chain:
    """A critical path: services that all others of a test action were ready before.

    Args:
        names: First one first.
        actions: How many test actions it determined.
        median_ms: The middle one of the times until all services were ready.
        most_ms: The longest.
    """

    names: Sequence[str]
    actions: int
    median_ms: float
    most_ms: float


@dataclass(frozen=True)
class Caches:
    """Where the results of the test actions came from.

    Args:
        actions: How many test actions there were.
        local: Bazel had not even to ask: nothing had changed since its last build.
        disk: From ``--disk_cache``.
        remote: From a remote cache.
        saved_ms: How long those took when they were run.
    """

    actions: int
    local: int
    disk: int
    remote: int
    saved_ms: float


@dataclass(frozen=True)
class Summary:
    """Sums over a run.

    Args:
        services: By median, slowest first.
        chains: Most frequent first.
        caches: Where results came from.
        test_cpu_ms: Processor time of the test programs that ran now.
        service_cpu_ms: Processor time of their services.
    """

    services: Sequence[ServiceSummary]
    chains: Sequence[Chain]
    caches: Caches
    test_cpu_ms: float
    service_cpu_ms: float


def summarize(targets: Iterable[Target]) -> Summary:
    """Return the sums over all test actions."""
    attempts = [attempt for target in targets for attempt in target.attempts]
    ran = [attempt for attempt in attempts if not attempt.cache]
    services: dict[str, list[Service]] = {}
    for service in (service for attempt in ran for service in attempt.services):
        services.setdefault(service.label or service.name, []).append(service)
    return Summary(
        services=sorted(map(_service, services, services.values()), key=lambda s: s.median_ms or 0.0, reverse=True),
        chains=_chains(ran),
        caches=_caches(attempts),
        test_cpu_ms=_sum(attempt.program.cpu_ms or 0.0 for attempt in ran if attempt.program),
        service_cpu_ms=_sum(service.cpu_ms or 0.0 for attempt in ran for service in attempt.services),
    )


def _service(label: str, starts: Sequence[Service]) -> ServiceSummary:
    times = sorted(service.ready_ms for service in starts if service.ready_ms is not None)
    return ServiceSummary(
        label=label,
        kind=starts[0].kind,
        starts=sum(1 for service in starts if service.started_ms is not None),
        ready_ms=times,
        median_ms=_at(times, 0.5),
        p90_ms=_at(times, 0.9),
        failures=sum(1 for service in starts if service.cause),
        cpu_ms=_sum(service.cpu_ms or 0.0 for service in starts),
        peak_mb=max((service.peak_mb for service in starts if service.peak_mb is not None), default=None),
    )


def _chains(attempts: Iterable[Attempt]) -> list[Chain]:
    found: dict[tuple[str, ...], list[float]] = {}
    for attempt in attempts:
        if attempt.critical_path and attempt.services_ready_ms is not None:
            found.setdefault(tuple(attempt.critical_path), []).append(attempt.services_ready_ms)
    chains = [
        Chain(list(names), len(times), _at(sorted(times), 0.5) or 0.0, max(times)) for names, times in found.items()
    ]
    return sorted(chains, key=lambda chain: (-chain.actions, -chain.median_ms))


def _caches(attempts: Sequence[Attempt]) -> Caches:
    counts = {name: sum(1 for attempt in attempts if attempt.cache == name) for name in ("local", "disk", "remote")}
    return Caches(len(attempts), saved_ms=_sum(attempt.duration_ms for attempt in attempts if attempt.cache), **counts)


def _sum(times_ms: Iterable[float]) -> float:
    """Add up times, which have one decimal. Unrounded, the sum is another one before Python 3.12 than from then on."""
    return round(sum(times_ms), 1)


def _at(ordered: Sequence[float], share: float) -> float | None:
    """Return the value that this share of the values does not exceed: a value that was measured, no mean of two."""
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))] if ordered else None
