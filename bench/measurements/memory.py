"""(e) How much memory one instance of each service takes after a few queries: bench/workspace/memory/probe.py."""

from __future__ import annotations

import sys

from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_differences

LETTER = "e"
TITLE = "memory of one instance, a client connected (proportional set size of all its processes)"
_LABEL = "//memory:instances"
_SERVICES = (("PostgreSQL", "postgres", 12), ("Redis", "redis", 6))


def measure(setting: Setting) -> Result:
    """Run the probe a few times, one at a time: instances share pages, and a shared page counts in part only."""
    if not sys.platform.startswith("linux"):
        return Result(LETTER, TITLE, [], {}, ["only Linux tells how much memory is shared; not measured here"])
    run = setting.bazel.test([_LABEL], f"--runs_per_test={setting.rounds(5, 1)}", "--local_test_jobs=1")
    samples: dict[str, list[float]] = {}
    for output in run.outputs(_LABEL):
        for name, values in output["samples"].items():
            samples.setdefault(name, []).extend(values)
    rows = []
    for shown, name, bar_mb in _SERVICES:
        own = paired_differences(samples[f"{name}_mb"], samples[f"{name}_files_mb"])
        rows.append(Row(shown, samples[f"{name}_mb"], "MB", bar=bar_mb))
        rows.append(Row(f"{shown} without program files, which all instances share", own, "MB"))
    return Result(LETTER, TITLE, rows, samples)
