"""(i) How soon services are there that wait for a session, beside those that are started for it.

Sessions of plain pytest run within one test action, in turns: bench/workspace/warm/driver.py.
"""

from __future__ import annotations

from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_ratios

LETTER = "i"
TITLE = "warm services: from asking for one until it is given (pytest), and whole runs"
_DRIVER = "//warm:driver"
_KINDS = {
    "postgres": "PostgreSQL with a schema",
    "redis": "Redis",
    "clickhouse": "ClickHouse with a schema",
    "executable": "a server that listens after 300 ms",
}
_WAITING = {
    "postgres": "PostgreSQL",
    "redis": "Redis",
    "postgres_redis": "PostgreSQL and Redis",
    "clickhouse": "ClickHouse",
}
_WARM_MS = 5.0
_Samples = dict[str, list[float]]


def measure(setting: Setting) -> Result:
    """Run the driver, then the test actions."""
    output = setting.bazel.test([_DRIVER], env={"BENCH_ROUNDS": setting.rounds(15, 3)}).outputs(_DRIVER)[0]
    samples: _Samples = output["samples"]
    rows = [row for kind, shown in _KINDS.items() for row in _kind_rows(kind, shown, samples)]
    rows += _pair_rows("pytest -q of one test with a PostgreSQL", "run", samples)
    for name, shown in _WAITING.items():
        if f"{name}_waiting_mb" in samples:  # Only Linux tells.
            rows += _cost_rows(f"{name}_waiting", shown, samples)
    return Result(LETTER, TITLE, rows, samples)


def _kind_rows(kind: str, shown: str, samples: _Samples) -> list[Row]:
    cold, warm = (samples[f"{kind}_{state}_imports_before_ms"] for state in ("cold", "warm"))
    within = (samples[f"{kind}_{state}_imports_within_ms"] for state in ("cold", "warm"))
    return [
        Row(f"{shown}: cold, all imports done before", cold, "ms"),
        Row("    warm, all imports done before", warm, "ms", bar=_WARM_MS),
        Row("    warm / cold", paired_ratios(warm, cold), "x"),
        *(
            Row(f"    {state}, only pytest and its plugin imported before", taken, "ms")
            for state, taken in zip(("cold", "warm"), within, strict=True)
        ),
    ]


def _pair_rows(shown: str, name: str, samples: _Samples) -> list[Row]:
    cold, warm = samples[f"{name}_cold_ms"], samples[f"{name}_warm_ms"]
    return [
        Row(f"{shown}, cold", cold, "ms"),
        Row("    warm", warm, "ms"),
        Row("    warm / cold", paired_ratios(warm, cold), "x"),
    ]


def _cost_rows(name: str, shown: str, samples: _Samples) -> list[Row]:
    return [
        Row(f"memory while it waits: {shown}", samples[f"{name}_mb"], "MB"),
        Row("    of it not files of programs", samples[f"{name}_not_files_mb"], "MB"),
        Row("    processor time for each second", samples[f"{name}_cpu_ms_per_s"], "ms"),
    ]
