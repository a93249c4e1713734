"""Reading Bazel's build event file and profile."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bench.build_events import TestAttempt, read_action_ms, read_attempts
from bench.errors import BenchError

# As Bazel 7.7.1 writes it, without what is not read.
EVENT: dict[str, Any] = {
    "id": {"testResult": {"label": "//a:t", "run": 2, "shard": 1, "attempt": 1}},
    "testResult": {
        "testActionOutput": [
            {"name": "test.log", "uri": "file:///out/testlogs/a/t/run_2_of_3/test.log"},
            {"name": "test.xml", "uri": "file:///out/testlogs/a/t/run_2_of_3/test.xml"},
        ],
        "testAttemptDurationMillis": "2333",
        "status": "PASSED",
        "executionInfo": {"strategy": "linux-sandbox"},
        "testAttemptDuration": "2.333s",
    },
}


def _lines(*events: dict[str, Any]) -> list[str]:
    return [json.dumps(event) + "\n" for event in events]


def _with_result(**changes: Any) -> dict[str, Any]:
    return {**EVENT, "testResult": {**EVENT["testResult"], **changes}}


def test_an_attempt_is_read_and_other_events_are_passed_over() -> None:
    lines = _lines({"id": {"started": {}}, "started": {"uuid": "x"}}, EVENT)
    assert read_attempts([*lines, "\n"]) == [
        TestAttempt(
            label="//a:t",
            run=2,
            status="PASSED",
            process_ms=2333,
            directory=Path("/out/testlogs/a/t/run_2_of_3"),
            is_cached=False,
            strategy="linux-sandbox",
        )
    ]


def test_a_duration_in_milliseconds_alone_is_read() -> None:
    event = _with_result()
    del event["testResult"]["testAttemptDuration"]
    assert read_attempts(_lines(event))[0].process_ms == 2333


@pytest.mark.parametrize("changes", [{"cachedLocally": True}, {"executionInfo": {"cachedRemotely": True}}])
def test_an_old_result_is_told_from_a_new_one(changes: dict[str, Any]) -> None:
    assert read_attempts(_lines(_with_result(**changes)))[0].is_cached


def test_a_path_with_blanks_is_decoded() -> None:
    outputs = [{"name": "test.log", "uri": "file:///my%20out/t/test.log"}]
    assert read_attempts(_lines(_with_result(testActionOutput=outputs)))[0].directory == Path("/my out/t")


def test_a_remote_log_is_refused() -> None:
    outputs = [{"name": "test.log", "uri": "bytestream://somewhere/blobs/0"}]
    with pytest.raises(BenchError, match=r"//a:t: expected a local test\.log"):
        read_attempts(_lines(_with_result(testActionOutput=outputs)))


def test_action_times_are_those_of_test_actions_by_label(tmp_path: Path) -> None:
    events = [
        {"cat": "action processing", "name": "Testing //a:t", "dur": 920923},
        {"cat": "action processing", "name": "Testing @@//a:t (run 2 of 3)", "dur": 500000},
        {"cat": "action processing", "name": "Testing //b:t", "dur": 1000},
        {"cat": "action processing", "name": "Creating source manifest for //a:t", "dur": 12039},
        {"cat": "general information", "name": "Testing //a:t", "dur": 5},
        {"name": "process_name", "ph": "M"},
    ]
    profile = tmp_path / "profile.gz"
    with gzip.open(profile, "wt", encoding="utf-8") as file:
        json.dump({"traceEvents": events}, file)

    assert read_action_ms(profile) == {"//a:t": [920.923, 500.0], "//b:t": [1.0]}
