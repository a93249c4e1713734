"""The plan: which machine tests which targets.

The longest target first, each to the worker that is free soonest, where every machine has as many workers as Bazel runs
tests at once (Graham's longest processing time; at most 4/3 of the best plan, with many targets next to it). The result
depends on labels and costs alone, not on the order in which they come.
"""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass
from math import fsum
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# A result from the cache: Bazel looks it up, and downloads its log.
CACHED_S = 0.05
# What Bazel expects of a size at most is its time-out; tests take much less.
_SIZE_S = {"small": 2.0, "medium": 10.0, "large": 60.0, "enormous": 300.0}
# A service of a test that has never run. Where it has, its services are in its duration.
_SERVICE_S = 0.2


@dataclass(frozen=True)
class TestTarget:
    """A test target.

    Attributes:
        label: Canonical within the repository: ``//auth:login_test``.
        size: ``small``, ``medium``, ``large`` or ``enormous``.
        shards: How many actions it is at least.
        services: How many services it starts.
        is_cached: Whether its result is expected in the cache.
    """

    __test__ = False

    label: str
    size: str = "medium"
    shards: int = 1
    services: int = 0
    is_cached: bool = False


@dataclass(frozen=True)
class Plan:
    """Parts of a set of targets.

    Attributes:
        parts: By machine, its labels, sorted.
        seconds: By machine, when its last target is expected to end.
        bound: No plan ends sooner: the mean of all workers, or the longest single action.
        unknown: How many targets have no recorded duration.
    """

    parts: Sequence[Sequence[str]]
    seconds: Sequence[float]
    bound: float
    unknown: int

    @property
    def digest(self) -> str:
        """A name of the plan: machines with the same one lose no target and run none twice."""
        text = "\n\n".join("\n".join(part) for part in self.parts)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_plan(targets: Iterable[TestTarget], durations: Mapping[str, list[float]], total: int, jobs: int) -> Plan:
    """Give each machine its part.

    Args:
        targets: What is to be tested; a label that comes twice counts once.
        durations: Seconds of each shard, by label.
        total: Number of machines.
        jobs: How many test actions one machine runs at once.
    """
    known = {target.label: target for target in targets}
    guess = _Guess(known.values(), durations)
    costs = {label: guess.seconds(target) for label, target in known.items()}
    order = sorted(known, key=lambda label: (-max(costs[label]), -sum(costs[label]), label))
    workers = [[0.0] * jobs for _ in range(total)]
    machines = [(0.0, machine) for machine in range(total)]
    parts: list[list[str]] = [[] for _ in range(total)]
    for label in order:
        _, machine = heapq.heappop(machines)
        parts[machine].append(label)
        for seconds in sorted(costs[label], reverse=True):
            heapq.heapreplace(workers[machine], workers[machine][0] + seconds)
        # With the sum behind: machines on which a worker is free at once share what is left.
        heapq.heappush(machines, (workers[machine][0], machine))
    every = [0.0, *(seconds for each in costs.values() for seconds in each)]
    bound = max([fsum(every) / (total * jobs), *every])
    unknown = sum(label not in durations for label in known)
    return Plan([sorted(part) for part in parts], [max(each) for each in workers], bound, unknown)


class _Guess:
    """What a target costs: as recorded, else as others of its size do, else by its size."""

    def __init__(self, targets: Iterable[TestTarget], durations: Mapping[str, list[float]]) -> None:
        self._durations = durations
        by_size: dict[str, list[float]] = {}
        for target in targets:
            if target.label in durations:
                by_size.setdefault(target.size, []).append(sum(durations[target.label]))
        self._usual = _SIZE_S | {size: median(seconds) for size, seconds in by_size.items()}

    def seconds(self, target: TestTarget) -> list[float]:
        """Return the expected seconds of each of its actions."""
        if target.is_cached:
            return [CACHED_S] * target.shards
        recorded = self._durations.get(target.label)
        if recorded and len(recorded) == target.shards:
            return recorded
        whole = sum(recorded) if recorded else self._usual.get(target.size, _SIZE_S["medium"])
        start = 0.0 if recorded else _SERVICE_S * target.services
        return [whole / target.shards + start] * target.shards
