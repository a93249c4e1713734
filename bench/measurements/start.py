"""(a) How soon a fresh, migrated PostgreSQL serves: ours, the bare server on a ready directory, pytest-postgresql's.

Everything runs within one test action, in turns: bench/workspace/start/driver.py.
"""

from __future__ import annotations

from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_differences, paired_ratios, summarize

LETTER = "a"
TITLE = "a fresh, migrated PostgreSQL"
_LABEL = "//start:driver"


def measure(setting: Setting) -> Result:
    """Run the driver and compare."""
    env: dict[str, int | str] = {
        "BENCH_ROUNDS": setting.rounds(25, 5),
        "BENCH_PYTEST_ROUNDS": min(setting.rounds(7, 2), 7),
        "BENCH_COLD_ROUNDS": min(setting.rounds(5, 2), 5),
    }
    output = setting.bazel.test([_LABEL], env=env).outputs(_LABEL)[0]
    samples: dict[str, list[float]] = output["samples"]
    theirs = paired_differences(samples["pytest_postgresql_run_ms"], samples["pytest_run_ms"])
    # Ours has more rounds than theirs, so its median stands for each of theirs.
    ours = [summarize(samples["ours_ms"]).median] * len(theirs)
    rows = [
        Row("ours: start until it serves", samples["ours_ms"], "ms"),
        Row("ours, template not yet unpacked on this machine", samples["ours_cold_ms"], "ms"),
        Row("bare postgres on a ready copy in memory, same settings", samples["bare_ms"], "ms"),
        Row("bare postgres on a ready copy in memory, default settings", samples["bare_default_ms"], "ms"),
        Row("pytest-postgresql: one test with, minus the same run without", theirs, "ms"),
        Row("pytest-postgresql: its fixtures' set-up alone", samples["pytest_postgresql_fixtures_ms"], "ms"),
        Row("ours / bare", paired_ratios(samples["ours_ms"], samples["bare_ms"]), "x", bar=2),
        Row("ours / pytest-postgresql", paired_ratios(ours, theirs), "x", bar=0.1),
    ]
    notes = list(output["warnings"])
    if not output["same_binaries"]:
        notes.append("pytest-postgresql ran the pinned PostgreSQL, ours another one that the build names")
    return Result(LETTER, TITLE, rows, samples, notes)
