"""(i) How soon services are there that wait for a session, beside those that are started for it.

Sessions of plain pytest run within one test action, in turns: bench/workspace/warm/driver.py. Test actions of Bazel run
one by one, with a keeper (bench/keeper.py) that is there for all of them, and used by every second one.
"""

from __future__ import annotations

import json

from bench.bazel import TestRun
from bench.errors import BenchError
from bench.keeper import await_service, keeping_warm
from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.samples import paired_ratios

LETTER = "i"
TITLE = "warm services: from asking for one until it is given (pytest), and whole runs and test actions"
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
# Targets of test actions: their names in the table, and the service that each has.
_ACTIONS = {
    "postgres": ("pytest with PostgreSQL", "db"),
    "clickhouse": ("pytest with ClickHouse", "events"),
    "program_with_postgres": ("a program that is no pytest, with PostgreSQL", "db"),
    "program_with_clickhouse": ("a program that is no pytest, with ClickHouse", "events"),
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
    samples |= _measure_actions(setting)
    for name, (shown, _) in _ACTIONS.items():
        rows += _pair_rows(f"test action: {shown}", f"{name}_action", samples)
        rows += _pair_rows("    its launcher, until all serve", f"{name}_ready", samples)
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


def _measure_actions(setting: Setting) -> _Samples:
    samples: _Samples = {}
    labels = {name: f"//warm:{name}" for name in _ACTIONS}
    with keeping_warm(setting.bazel) as env:
        envs = {
            state: env | {"REALSERVICES_LOGS": "always", "REALSERVICES_WARM": wish}
            for state, wish in (("cold", 0), ("warm", 1))
        }
        # Builds everything, warms caches, and tells the keeper what is wanted.
        setting.bazel.test(list(labels.values()), env=envs["cold"])
        setting.bazel.test(list(labels.values()), env=envs["warm"])
        for number in range(setting.rounds(12, 2)):
            # All of one state in a row: Bazel analyses anew where the environment changes.
            for state in ("cold", "warm") if number % 2 == 0 else ("warm", "cold"):
                for name, label in labels.items():
                    await_service(_ACTIONS[name][1])
                    run = setting.bazel.test([label], env=envs[state])
                    samples.setdefault(f"{name}_action_{state}_ms", []).append(run.action_ms[label][0])
                    samples.setdefault(f"{name}_ready_{state}_ms", []).append(_ready_ms(run, label, state))
    return samples


def _ready_ms(run: TestRun, label: str, state: str) -> float:
    """Return when all services served, by the launcher's clock; they were what they should have been."""
    if len(run.attempts) != 1 or len(run.action_ms.get(label, [])) != 1:
        raise BenchError(f"{label}: expected one test action, found {run}")
    timeline = json.loads((run.attempts[0].directory / "test.outputs/services.json").read_text(encoding="utf-8"))
    if {service["warm"] for service in timeline["services"]} != {state == "warm"}:
        raise BenchError(f"{label}: expected {state} services, found {timeline['services']}")
    return float(timeline["ready_ms"])
