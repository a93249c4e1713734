from __future__ import annotations

import random
from itertools import chain

import pytest

from realservices.ci_shard.plan import CACHED_S, TestTarget, make_plan

_MACHINES = 64
_TARGETS = 10_000


def _skewed(seed: int, count: int = _TARGETS) -> tuple[list[TestTarget], dict[str, list[float]]]:
    """Return targets as large repositories have them: most take a second or two, few take minutes; some are sharded."""
    source = random.Random(seed)
    targets, durations = [], {}
    for number in range(count):
        shards = source.choice([1] * 18 + [4, 10])
        target = TestTarget(f"//package{number % 700}:test{number}", shards=shards)
        targets.append(target)
        durations[target.label] = [min(900.0, source.lognormvariate(1.0, 1.4)) for _ in range(shards)]
    return targets, durations


def _makespan(parts: list[list[str]], durations: dict[str, list[float]], jobs: int, source: random.Random) -> float:
    """Return when the last machine ends if each runs its targets in an order of its own, as Bazel does."""
    ends = []
    for part in parts:
        actions = [seconds for label in part for seconds in durations[label]]
        source.shuffle(actions)
        workers = [0.0] * jobs
        for seconds in actions:
            workers[workers.index(min(workers))] += seconds
        ends.append(max(workers))
    return max(ends)


@pytest.mark.parametrize("seed", range(2))
def test_10_000_targets_on_64_machines_end_together(seed: int) -> None:
    targets, durations = _skewed(seed)
    plan = make_plan(targets, durations, _MACHINES, jobs=1)
    assert max(plan.seconds) <= 1.05 * plan.bound
    parts = [list(part) for part in plan.parts]
    assert _makespan(parts, durations, 1, random.Random(seed)) <= 1.05 * plan.bound
    assert sorted(chain(*parts)) == sorted(target.label for target in targets)


@pytest.mark.parametrize("jobs", [2, 8])
def test_several_tests_at_once_on_each_machine(jobs: int) -> None:
    targets, durations = _skewed(jobs)
    plan = make_plan(targets, durations, _MACHINES // jobs, jobs)
    assert max(plan.seconds) <= 1.05 * plan.bound


def test_the_plan_depends_on_what_is_tested_alone() -> None:
    targets, durations = _skewed(7, count=500)
    plan = make_plan(targets, durations, 7, jobs=2)
    random.Random(1).shuffle(targets)
    again = make_plan([*targets, targets[0]], dict(reversed(durations.items())), 7, jobs=2)
    assert (again, again.digest) == (plan, plan.digest)
    assert make_plan(targets[1:], durations, 7, jobs=2).digest != plan.digest


def test_a_new_target_costs_what_others_of_its_size_do() -> None:
    known = [TestTarget(f"//a:{n}", size="small") for n in range(3)]
    durations = {target.label: [30.0] for target in known}
    plan = make_plan([*known, TestTarget("//a:new", size="small", services=2)], durations, 1, jobs=1)
    assert plan.unknown == 1
    assert list(plan.seconds) == [pytest.approx(4 * 30.0 + 0.4)]


def test_without_any_duration_sizes_decide() -> None:
    targets = [TestTarget("//a:large", size="large"), *(TestTarget(f"//a:{n}", size="small") for n in range(20))]
    plan = make_plan(targets, {}, 2, jobs=1)
    assert ["//a:large"] in plan.parts
    assert plan.unknown == 21


def test_a_result_from_the_cache_costs_little() -> None:
    durations = {"//a:1": [100.0], "//a:2": [100.0], "//a:3": [100.0]}
    targets = [TestTarget("//a:1", is_cached=True), TestTarget("//a:2", is_cached=True), TestTarget("//a:3")]
    plan = make_plan(targets, durations, 2, jobs=1)
    assert sorted(map(list, plan.parts)) == [["//a:1", "//a:2"], ["//a:3"]]
    assert min(plan.seconds) == pytest.approx(2 * CACHED_S)


def test_a_target_with_another_number_of_shards_keeps_its_whole_time() -> None:
    plan = make_plan([TestTarget("//a:1", shards=4)], {"//a:1": [10.0, 10.0]}, 1, jobs=4)
    assert list(plan.seconds) == [pytest.approx(5.0)]


def test_more_machines_than_targets() -> None:
    plan = make_plan([TestTarget("//a:1")], {}, 3, jobs=1)
    assert sorted(map(len, plan.parts)) == [0, 0, 1]


def test_nothing_to_test() -> None:
    plan = make_plan([], {}, 2, jobs=1)
    assert (list(map(list, plan.parts)), plan.bound) == ([[], []], 0.0)
