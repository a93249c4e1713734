from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realservices.ci_shard.durations import read_durations
from realservices.ci_shard.main import main


def _result(label: str, seconds: float, *, shard: int = 1, run: int = 1, attempt: int = 1) -> dict[str, Any]:
    identity = {"label": label, "run": run, "shard": shard, "attempt": attempt, "configuration": {"id": "c"}}
    return {
        "id": {"testResult": identity},
        "testResult": {"status": "PASSED", "testAttemptDuration": f"{seconds}s", "cachedLocally": False},
    }


def _events(path: Path, *events: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return str(path)


def test_what_took_how_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = _events(
        tmp_path / "events.json",
        _result("//a:one", 2.0),
        _result("@@//a:sharded", 1.0, shard=1),
        _result("@@//a:sharded", 3.0, shard=2),
        _result("//a:flaky", 1.0, attempt=1),
        _result("//a:flaky", 2.0, attempt=2),
        _result("//a:often", 2.0, run=1),
        _result("//a:often", 4.0, run=2),
    )
    output = tmp_path / "durations.json"
    assert main(["record", "--output", str(output), events]) == 0
    assert read_durations(output) == {
        "//a:flaky": [3.0],
        "//a:often": [3.0],
        "//a:one": [2.0],
        "//a:sharded": [1.0, 3.0],
    }
    assert "has the durations of 4 targets" in capsys.readouterr().err


def test_a_new_duration_moves_the_old_one(tmp_path: Path) -> None:
    output = tmp_path / "durations.json"
    for seconds in (10.0, 20.0):
        events = _events(tmp_path / "events.json", _result("//a:one", seconds), _result("//a:two", 1.0, shard=1))
        assert main(["record", "--output", str(output), events]) == 0
    assert read_durations(output)["//a:one"] == [13.0]
    events = _events(tmp_path / "events.json", _result("//a:two", 5.0, shard=1), _result("//a:two", 5.0, shard=2))
    assert main(["record", "--output", str(output), events]) == 0
    assert read_durations(output)["//a:two"] == [5.0, 5.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no file of durations"),
        ('{"version": 2, "targets": {}}', "its version is 2"),
        ('{"version": 1, "targets": {"//a": [-1.0]}}', "no number of seconds"),
        ('{"version": 1, "targets": {"//a": []}}', "no number of seconds"),
        ('{"version": 1, "targets": []}', "is no file of durations"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    path = tmp_path / "durations.json"
    path.write_text(text, encoding="utf-8")
    assert main(["--total", "1", "--index", "0", "--durations", str(path)]) == 2
    error = capsys.readouterr().err
    assert str(path) in error
    assert message in error
    assert "tools/ci_shard record" in error


def test_events_without_results_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "durations.json"
    assert main(["record", "--output", str(output), _events(tmp_path / "e.json")]) == 2
    assert "e.json has no test results" in capsys.readouterr().err
    assert main(["record", "--output", str(output), str(tmp_path / "none.json")]) == 2
    assert "none.json: No such file" in capsys.readouterr().err
    assert not output.exists()
