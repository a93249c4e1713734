"""(h) How soon a fresh ClickHouse serves: ours, the bare engine, and with PostgreSQL and Redis in one target.

Everything runs within one test action, in turns: bench/workspace/fresh/driver.py.
"""

from __future__ import annotations

from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_ratios

LETTER = "h"
TITLE = "a fresh ClickHouse with a schema, and PostgreSQL, Redis and ClickHouse together"
_LABEL = "//fresh:driver"
_ALONE = {"PostgreSQL": "postgres", "Redis": "redis", "ClickHouse": "clickhouse"}


def measure(setting: Setting) -> Result:
    """Run the driver and compare."""
    output = setting.bazel.test([_LABEL], env={"BENCH_ROUNDS": setting.rounds(15, 3)}).outputs(_LABEL)[0]
    samples: dict[str, list[float]] = output["samples"]
    ours = samples["clickhouse_clickhouse_ready_ms"]
    alone = [samples[f"{name}_all_ms"] for name in _ALONE.values()]
    slowest = [max(each) for each in zip(*alone, strict=True)]
    rows = [
        Row("ours: start until it serves", ours, "ms"),
        Row("bare engine, no configuration, no schema", samples["bare_ms"], "ms"),
        Row("ours / bare", paired_ratios(ours, samples["bare_ms"]), "x", bar=1.5),
        *(
            Row(f"{shown} alone: launcher's start until it serves", taken, "ms")
            for shown, taken in zip(_ALONE, alone, strict=True)
        ),
        Row("the three together: launcher's start until all serve", samples["together_all_ms"], "ms"),
        Row("together / slowest of them alone", paired_ratios(samples["together_all_ms"], slowest), "x", bar=1.3),
    ]
    return Result(LETTER, TITLE, rows, samples, list(output["warnings"]))
