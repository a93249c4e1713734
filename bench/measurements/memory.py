"""(e) How much memory one instance of each service takes after a few queries: bench/workspace/memory/probe.py."""

from __future__ import annotations

import sys

from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_differences

LETTER = "e"
TITLE = "memory of an instance, a client connected (proportional set size of all its processes)"
_TARGETS = {"alone": "//memory:alone", "one of four": "//memory:of_four"}
_SERVICES = (("PostgreSQL", "postgres", 12), ("Redis", "redis", 6))


def measure(setting: Setting) -> Result:
    """Run the probe a few times: alone, and with four instances of each kind, which share their programs' pages."""
    if not sys.platform.startswith("linux"):
        return Result(LETTER, TITLE, [], {}, ["only Linux tells how much memory is shared; not measured here"])
    labels = list(_TARGETS.values())
    run = setting.bazel.test(labels, f"--runs_per_test={setting.rounds(5, 1)}", "--local_test_jobs=1")
    rows = []
    samples: dict[str, list[float]] = {}
    for situation, label in _TARGETS.items():
        for shown, name, bar_mb in _SERVICES:
            outputs = run.outputs(label)
            taken = [output["samples"][f"{name}_mb"][0] for output in outputs]
            files = [output["samples"][f"{name}_files_mb"][0] for output in outputs]
            rows.append(Row(f"{shown}, {situation}", taken, "MB", bar=bar_mb))
            rows.append(Row("    of it not files, which instances share", paired_differences(taken, files), "MB"))
            samples |= {f"{name}, {situation}, MB": taken, f"{name}, {situation}, files, MB": files}
    return Result(LETTER, TITLE, rows, samples)
