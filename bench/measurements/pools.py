"""(g) What pools that adapt gain over fixed ones and none, and what guarding costs: bench/workspace/pools."""

from __future__ import annotations

from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_ratios

LETTER = "g"
TITLE = "realservices.performance_optimization, in one process"
_LABELS = ["//pools:bursts", "//pools:at_once", "//pools:inserts"]


def measure(setting: Setting) -> Result:
    """Run each a few times; what is compared was measured in the same process."""
    run = setting.bazel.test(_LABELS, f"--runs_per_test={setting.rounds(5, 1)}", "--local_test_jobs=1")
    samples: dict[str, list[float]] = {}
    for label in _LABELS:
        for output in run.outputs(label):
            for name, values in output["samples"].items():
                samples.setdefault(name, []).extend(values)
    rows = [
        Row("wait for a database, bursts of 10 tests: two made ahead", samples["fixed_ms"], "ms"),
        Row("    made ahead by demand", samples["adaptive_ms"], "ms"),
        Row("    ratio", paired_ratios(samples["adaptive_ms"], samples["fixed_ms"]), "x", bar=0.75),
        Row("200 environments that wait 20 ms: one after the other", samples["in_turn_ms"], "ms"),
        Row("    50 at once, all of it new for each", samples["new_ms"], "ms"),
        Row("    50 at once, pooled", samples["pooled_ms"], "ms"),
        Row(
            "    ratio to one after the other",
            paired_ratios(samples["pooled_ms"], samples["in_turn_ms"]),
            "x",
            bar=0.75,
        ),
        Row("    ratio to new ones", paired_ratios(samples["pooled_ms"], samples["new_ms"]), "x", bar=0.75),
        Row("1,000 single INSERTs: isolated_database", samples["guarded_ms"], "ms"),
        Row("    performance_test_environment", samples["plain_ms"], "ms", bar=5000, target=1000),
        Row("    ratio", paired_ratios(samples["plain_ms"], samples["guarded_ms"]), "x", bar=1),
    ]
    return Result(LETTER, TITLE, rows, samples)
