"""(j) What a database of a test's own with real commits costs, whatever the template weighs.

bench/workspace/cost has the tests, bench/workspace/templates the templates: ten tables, five hundred tables, a million
rows. Each kind runs in a pytest process of its own, kinds in turns.
"""

from __future__ import annotations

from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_differences, paired_ratios

LETTER = "j"
TITLE = "real commits, for each test function (INSERT, UPDATE and SELECT), by template"
_TEMPLATES = {"small": "10 tables", "tables": "500 tables", "rows": "1,000,000 rows"}
_TESTS = {True: 60, False: 500}
_START, _MEMORY = "//fresh:templates", "//memory:session"


def measure(setting: Setting) -> Result:
    """Run each kind in turns; one sample is the mean over all tests of a process."""
    samples: dict[str, list[float]] = {}
    for _ in range(setting.rounds(5, 1)):
        for template in _TEMPLATES:
            for kind in ("commits", "commits_shared"):
                label = f"//cost:{kind}_{template}"
                output = setting.bazel.test([label], env={"BENCH_TESTS": _TESTS[setting.is_quick]}).outputs(label)[0]
                samples.setdefault(f"{kind}_{template}_ms", []).append(output["total_ms"] / output["tests"])
    added = {
        template: paired_differences(samples[f"commits_{template}_ms"], samples[f"commits_shared_{template}_ms"])
        for template in _TEMPLATES
    }
    rows = [
        Row(f"added to the same statements over a shared connection, {shown}", added[template], "ms", bar=1.5)
        for template, shown in _TEMPLATES.items()
    ]
    ratios = [max(each) / min(each) for each in zip(*added.values(), strict=True)]
    rows.append(Row("    most / least of them, round by round", ratios, "x", bar=1.5))
    started, start_rows = _measure_start(setting)
    sizes, memory_rows = _measure_memory(setting)
    return Result(LETTER, TITLE, [*rows, *start_rows, *memory_rows], samples | started | sizes)


def _measure_start(setting: Setting) -> tuple[dict[str, list[float]], list[Row]]:
    started = setting.bazel.test([_START], env={"BENCH_ROUNDS": setting.rounds(15, 3)}).outputs(_START)[0]["samples"]
    times = {template: started[f"postgres_{template}_all_ms"] for template in _TEMPLATES}
    rows = [Row(f"a fresh server, {shown}", times[template], "ms") for template, shown in _TEMPLATES.items()]
    largest = [max(each) for each in zip(times["tables"], times["rows"], strict=True)]
    ratios = paired_ratios(largest, times["small"])
    rows.append(Row("    the slower of the two large ones / the small one", ratios, "x", bar=1.5))
    return {f"{template}_start_ms": taken for template, taken in times.items()}, rows


def _measure_memory(setting: Setting) -> tuple[dict[str, list[float]], list[Row]]:
    sizes = setting.bazel.test([_MEMORY]).outputs(_MEMORY)[0]["samples"]
    ratios = paired_ratios(sizes["session_mb"], sizes["template_mb"])
    rows = [
        Row("memory of a session beside the template of 1,000,000 rows", sizes["session_mb"], "MB"),
        Row("    to the template", ratios, "x", bar=1.2),
    ]
    return sizes, rows
