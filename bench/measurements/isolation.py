"""(c) What isolation costs each test function, through the fixtures: bench/workspace/cost.

The same number of tests with and without the fixture, each kind in a pytest process of its own, kinds in turns.
"""

from __future__ import annotations

from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_differences

LETTER = "c"
TITLE = "isolation, for each test function"
_PACKAGE = "//cost:"
# Kind, what it is compared with, its name in the table, its bar in milliseconds if it has one.
_KINDS: tuple[tuple[str, str, str, float | None], ...] = (
    ("transaction", "transaction_shared", "transaction (to the same INSERT over a connection that all tests share)", 1),
    ("clone", "trivial", "cloned database, test upon test", 10),
    ("clone_ahead", "slow", "cloned database made ahead (tests of 50 ms)", 2),
    ("redis", "redis_shared", "Redis database (to the same SET over a client that all tests share)", 0.5),
    (
        *("clickhouse", "clickhouse_shared"),
        *("ClickHouse database, test upon test (to the same INSERT over a client that all tests share)", 5),
    ),
    ("clickhouse_ahead", "clickhouse_slow", "ClickHouse database made ahead (tests of 50 ms, likewise)", 5),
    ("servers", "servers_shared", "restoring servers' databases (2 of 10 tables, 3 Redis keys, likewise)", None),
)
# In this order: each beside what it is compared with, and Bazel analyses anew where the number of tests changes.
_ORDER = (
    *("trivial", "transaction_shared", "transaction", "redis_shared", "redis", "clone"),
    *("servers_shared", "servers", "clickhouse_shared", "clickhouse"),
    *("clickhouse_slow", "clickhouse_ahead", "slow", "clone_ahead"),
)
_SLOW = ("slow", "clone_ahead", "clickhouse_slow", "clickhouse_ahead")


def measure(setting: Setting) -> Result:
    """Run each kind in turns; one sample is the mean over all tests of a process."""
    samples: dict[str, list[float]] = {}
    counts = {True: {"slow": 20, "usual": 60}, False: {"slow": 60, "usual": 300}}[setting.is_quick]
    for _ in range(setting.rounds(4, 2)):
        for name in _ORDER:
            count = counts["slow" if name in _SLOW else "usual"]
            label = _PACKAGE + name
            output = setting.bazel.test([label], env={"BENCH_TESTS": count}).outputs(label)[0]
            samples.setdefault(f"{name}_mean_ms", []).append(output["total_ms"] / output["tests"])
            samples.setdefault(f"{name}_median_ms", []).append(output["median_ms"])
            samples.setdefault(f"{name}_first_ms", []).append(output["first_ms"])
    rows = [Row("a test that does nothing", samples["trivial_mean_ms"], "ms")]
    for kind, base, shown, bar_ms in _KINDS:
        added = paired_differences(samples[f"{kind}_mean_ms"], samples[f"{base}_mean_ms"])
        rows.append(Row(shown, added, "ms", bar=bar_ms))
    return Result(LETTER, TITLE, rows, samples)
