"""(b) What services add to the wall time of one pytest target, in Bazel: bench/workspace/target.

Each target is built alone, in an order that turns round with each round, so that none is always the first after
another. The time of the whole test action counts: sandbox, process and what Bazel does with its outputs.
"""

from __future__ import annotations

from bench.errors import BenchError
from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_differences

LETTER = "b"
TITLE = "one pytest target in Bazel, with PostgreSQL and Redis"
_PACKAGE = "//target:"
_NAMES = ("without_services", "with_services", "using_services", "plain")


def measure(setting: Setting) -> Result:
    """Run every target by itself, again and again."""
    labels = [_PACKAGE + name for name in _NAMES]
    setting.bazel.test(labels)  # Builds everything and warms the caches.
    samples: dict[str, list[float]] = {}
    strategies: set[str] = set()
    for number in range(setting.rounds(15, 3)):
        for name in _NAMES if number % 2 == 0 else reversed(_NAMES):
            run = setting.bazel.test([_PACKAGE + name])
            if len(run.attempts) != 1 or len(run.action_ms.get(_PACKAGE + name, [])) != 1:
                raise BenchError(f"{_PACKAGE}{name}: expected one test action, found {run}")
            samples.setdefault(f"{name}_action_ms", []).append(run.action_ms[_PACKAGE + name][0])
            samples.setdefault(f"{name}_process_ms", []).append(run.attempts[0].process_ms)
            strategies.add(run.attempts[0].strategy)
    base = samples["without_services_action_ms"]
    rows = [
        Row("plain py_test that calls pytest", samples["plain_action_ms"], "ms"),
        Row("real_service_test without services", base, "ms"),
        Row("the same test with services", samples["with_services_action_ms"], "ms"),
        Row("a test that uses both services", samples["using_services_action_ms"], "ms"),
        _added("added by services", samples, "with_services", bar_ms=150, target_ms=60),
        _added("added by services and their use", samples, "using_services", bar_ms=150),
        _added("added to the process alone, by services", samples, "with_services", kind="process"),
    ]
    return Result(LETTER, TITLE, rows, samples, [f"strategy: {', '.join(sorted(strategies))}"])


def _added(
    name: str,
    samples: dict[str, list[float]],
    target: str,
    *,
    kind: str = "action",
    bar_ms: float | None = None,
    target_ms: float | None = None,
) -> Row:
    added = paired_differences(samples[f"{target}_{kind}_ms"], samples[f"without_services_{kind}_ms"])
    return Row(name, added, "ms", bar=bar_ms, target=target_ms)
