"""The whole way from the command line to table, JSON and exit code, with a stand-in for Bazel."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.main import main

_FAKE = Path(__file__).parent / "fake_bazel.py"
_TARGETS_MS: dict[str, float] = {
    "//target:without_services": 400,
    "//target:with_services": 500,
    "//target:using_services": 560,
    "//target:plain": 350,
}
_WARM_MS: dict[str, float] = {
    "//warm:driver": 1,
}


class Tool:
    """tools/bench with a Bazel whose durations the test chooses."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("REALSERVICES_CACHE_DIR", str(directory / "cache"))

    def run(
        self, *arguments: str, durations_ms: dict[str, float] | None = None, outputs: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Run it; return the exit code and the JSON."""
        durations_ms = durations_ms or dict.fromkeys(outputs or {}, 1.0)
        self._monkeypatch.setenv("FAKE_BAZEL_MS", json.dumps(durations_ms))
        self._monkeypatch.setenv("FAKE_BAZEL_OUTPUTS", json.dumps(outputs or {}))
        file = self._directory / "result.json"
        command = shlex.join([sys.executable, str(_FAKE)])
        code = main(["--bazel", command, "--json", str(file), *arguments])
        return code, json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    # The checkout's own lock is no part of this test's runfiles.
    monkeypatch.setattr("bench.workspace._joined_lock", lambda checkout: "")
    return Tool(tmp_path, monkeypatch)


def test_the_marginal_time_of_a_target_is_measured(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = tool.run("--only", "b", "--runs", "3", durations_ms=_TARGETS_MS)

    assert code == 0
    rows = {row["name"]: row for row in result["measurements"]["b"]["rows"]}
    assert rows["added by services"]["median"] == pytest.approx(100)
    assert rows["added by services"]["verdict"] == "ok"
    assert rows["added by services and their use"]["median"] == pytest.approx(160)
    assert rows["added by services and their use"]["verdict"] == "MISSED"
    assert rows["added to the process alone, by services"]["median"] == pytest.approx(50)
    assert result["measurements"]["b"]["samples"]["plain_action_ms"] == [350, 350, 350]
    assert result["machine"]["bazel"] == "bazel 0.0.0-fake"
    assert "MISSED" in capsys.readouterr().out


def test_the_three_together_are_compared_with_the_slowest_of_their_own_round(tool: Tool) -> None:
    samples = {
        "clickhouse_clickhouse_ready_ms": [90, 160],
        "bare_ms": [60, 100],
        "clickhouse_all_ms": [100, 170],
        "postgres_all_ms": [30, 200],
        "redis_all_ms": [20, 20],
        "together_all_ms": [140, 240],
    }
    output = {"samples": samples, "warnings": ["a slower way was taken"]}
    code, result = tool.run("--only", "h", outputs={"//fresh:driver": output})

    assert code == 0
    rows = {row["name"]: row for row in result["measurements"]["h"]["rows"]}
    assert rows["ours / bare"]["median"] == pytest.approx(1.55)
    assert rows["ours / bare"]["verdict"] == "MISSED"
    together = rows["together / slowest of them alone"]
    assert (together["min"], together["max"]) == (pytest.approx(1.2), pytest.approx(1.4))
    assert together["verdict"] == "ok"
    assert result["measurements"]["h"]["notes"] == ["a slower way was taken"]


def test_isolation_is_what_each_kind_takes_more_than_its_base(tool: Tool) -> None:
    means_ms = dict.fromkeys(["clone", "clone_ahead", "redis", "transaction"], 9.0)
    means_ms |= dict.fromkeys(["trivial", "slow", "redis_shared", "transaction_shared"], 2.0)
    means_ms |= {"clickhouse_shared": 4, "clickhouse": 8.5, "clickhouse_slow": 54, "clickhouse_ahead": 60}
    means_ms |= {"servers_shared": 3, "servers": 7}
    outputs = {
        f"//cost:{name}": {"tests": 10, "total_ms": 10 * mean_ms, "median_ms": 1, "first_ms": 1}
        for name, mean_ms in means_ms.items()
    }
    _, result = tool.run("--only", "c", "--runs", "1", outputs=outputs)

    rows = {row["name"].partition(" (")[0]: row for row in result["measurements"]["c"]["rows"]}
    judged = {name: (row["median"], row["verdict"]) for name, row in rows.items()}
    assert judged["ClickHouse database, test upon test"] == (4.5, "ok")
    assert judged["ClickHouse database made ahead"] == (6, "MISSED")
    assert judged["restoring servers' databases"] == (4, "")
    assert judged["transaction"] == (7, "MISSED")


def test_commits_are_compared_between_templates(tool: Tool) -> None:
    added_ms = {"small": 1.0, "tables": 1.2, "rows": 1.8}
    outputs: dict[str, Any] = {
        f"//cost:{kind}_{template}": {"tests": 10, "total_ms": 10 * (1 + (kind == "commits") * added)}
        for kind in ("commits", "commits_shared")
        for template, added in added_ms.items()
    }
    start_ms: dict[str, list[float]] = {"small": [100, 50], "tables": [110, 60], "rows": [150, 55]}
    started = {f"postgres_{template}_all_ms": taken for template, taken in start_ms.items()}
    outputs["//fresh:templates"] = {"samples": started, "warnings": []}
    outputs["//memory:session"] = {"samples": {"session_mb": [130], "template_mb": [100]}}
    _, result = tool.run("--only", "j", "--runs", "1", outputs=outputs)

    rows = {row["name"].strip(): row for row in result["measurements"]["j"]["rows"]}
    judged = {name: (round(row["median"], 2), row["verdict"]) for name, row in rows.items()}
    prefix = "added to the same statements over a shared connection, "
    assert judged[f"{prefix}500 tables"] == (1.2, "ok")
    assert judged[f"{prefix}1,000,000 rows"] == (1.8, "MISSED")
    assert judged["most / least of them, round by round"] == (1.8, "MISSED")
    assert judged["the slower of the two large ones / the small one"] == (1.35, "ok")
    assert judged["to the template"] == (1.3, "MISSED")


def test_tests_with_a_database_are_compared_with_mocks(tool: Tool) -> None:
    durations_ms: dict[str, float] = {"//mocks:mocks": 1000, "//mocks:transactions": 950, "//mocks:commits": 1250}
    _, result = tool.run("--only", "k", "--runs", "2", durations_ms=durations_ms)

    ratios = [row for row in result["measurements"]["k"]["rows"] if row["unit"] == "x"]
    assert [(round(row["median"], 2), row["verdict"]) for row in ratios] == [(0.95, "ok"), (1.25, "MISSED")]


def _warm_samples() -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {"run_cold_ms": [400, 500], "run_warm_ms": [400, 400]}
    for imports in ("before", "within"):
        for kind in ("postgres", "redis", "clickhouse", "executable"):
            samples[f"{kind}_cold_imports_{imports}_ms"] = [100, 60]
            samples[f"{kind}_warm_imports_{imports}_ms"] = [10, 3]
    samples["redis_warm_imports_before_ms"] = [2, 3]
    for costs in ("mb", "not_files_mb", "cpu_ms_per_s"):
        samples[f"postgres_waiting_{costs}"] = [20]
    return samples


def test_warm_services_are_compared_with_those_of_the_session_before(tool: Tool) -> None:
    outputs = {"//warm:driver": {"samples": _warm_samples()}}
    code, result = tool.run("--only", "i", "--runs", "2", durations_ms=_WARM_MS, outputs=outputs)

    assert code == 0
    rows = [(row["name"].strip(), row["median"], row["verdict"]) for row in result["measurements"]["i"]["rows"]]
    postgres = rows.index(("PostgreSQL with a schema: cold, all imports done before", 80, ""))
    assert rows[postgres + 1] == ("warm, all imports done before", 6.5, "MISSED")
    assert rows[postgres + 2] == ("warm / cold", pytest.approx(0.075), "")
    redis = rows.index(("Redis: cold, all imports done before", 80, ""))
    assert rows[redis + 1] == ("warm, all imports done before", 2.5, "ok")
    assert [name for name, _, _ in rows if name.startswith("memory")] == ["memory while it waits: PostgreSQL"]


def test_a_missed_bar_is_an_error_only_where_asked_for(tool: Tool) -> None:
    assert tool.run("--only", "b", "--quick", durations_ms=_TARGETS_MS)[0] == 0
    assert tool.run("--only", "b", "--quick", "--check", durations_ms=_TARGETS_MS)[0] == 1
    fast = _TARGETS_MS | {"//target:using_services": 549}
    assert tool.run("--only", "b", "--quick", "--check", durations_ms=fast)[0] == 0


def test_a_failing_test_is_an_error_and_the_other_measurements_go_on(
    tool: Tool, capsys: pytest.CaptureFixture[str]
) -> None:
    many = {f"//many:{kind}_{number}": 1.0 for kind in ("with", "without") for number in range(10)}
    code, result = tool.run("--only", "b,d", "--quick", durations_ms=many)

    assert code == 2
    assert result["broken"] == ["b"]
    assert list(result["measurements"]) == ["d"]
    shown = capsys.readouterr()
    assert "FAIL: //target:" in shown.err
    assert "only 10 targets" in shown.out


def test_an_unknown_measurement_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "a,z"])
    assert "z is not among a, b, c, d, e, f" in capsys.readouterr().err


@pytest.mark.parametrize("runs", ["0", "-1", "many"])
def test_runs_must_be_a_number(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([f"--runs={runs}"])
    assert "is not a number from 1 on" in capsys.readouterr().err
