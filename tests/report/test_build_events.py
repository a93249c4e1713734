"""What is read of the build itself."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tests.report.events import START_MS, EventFile


def test_the_invocation_is_described(events: EventFile) -> None:
    events.event({"pattern": {"pattern": ["//shop/...", "-//shop:slow"]}}, expanded={})
    runners = [{"name": "total", "count": 3}, {"name": "internal", "count": 1}, {"name": "linux-sandbox", "count": 2}]
    events.event({"buildMetrics": {}}, buildMetrics={"actionSummary": {"runnerCount": runners}})
    log = {"name": "critical path", "contents": b64encode(b"Critical Path: 1s\n  1s action\n").decode()}
    events.event({"buildToolLogs": {}}, buildToolLogs={"log": [log, {"name": "profile", "uri": "file:///profile.gz"}]})
    report = events.report()
    build = report.build
    assert report.title == "bazel test //shop/... -//shop:slow"
    assert (build.started_epoch_ms, build.duration_ms, build.exit) == (START_MS, 2500, "TESTS_FAILED")
    assert build.processes == {"internal": 1, "linux-sandbox": 2}
    assert build.critical_path == "Critical Path: 1s\n  1s action"
    assert build.problems == []


def test_secrets_on_the_command_line_are_not_in_the_report(events: EventFile) -> None:
    secret = "--test_env=TOKEN=abc123"
    events.event({"optionsParsed": {}}, optionsParsed={"cmdLine": [secret]})
    events.event({"started": {}}, started={"optionsDescription": secret, "command": "test"})
    events.event({"workspaceStatus": {}}, workspaceStatus={"item": [{"key": "BUILD_USER", "value": "abc123"}]})
    assert "abc123" not in events.report().to_json()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "Expecting property name"),
        ("[" * 100_000, "it is nested too deeply"),
        ("5", "it is 5, not an object"),
        ('{"id": []}', "id is [], not an object"),
        ('{"id": {}, "testResult": {}}', "id.testResult is missing: an object"),
        ('{"id": {"testResult": {"label": ["//a"]}}, "testResult": {}}', "id.testResult.label is ['//a'], not a text"),
        ('{"id": {"testResult": {"label": "//a", "run": NaN}}}', "NaN is not a JSON number"),
        ('{"id": {"testResult": {"label": "//a", "run": 0}}}', "id.testResult.run is 0, not a whole number above 0"),
        ('{"id": {}, "started": {"startTimeMillis": "1e999"}}', "started.startTimeMillis is '1e999', not a number"),
        (
            '{"id": {}, "started": {"startTime": "soon"}}',
            "started.startTime is 'soon', not a point of time in ISO 8601",
        ),
        ('{"id": {}, "finished": {"exitCode": 3}}', "finished.exitCode is 3, not an object"),
        ('{"id": {}, "completed": {"testTimeout": "nan"}}', "completed.testTimeout is 'nan', not a duration such as"),
        ('{"id": {}, "buildToolLogs": {"log": [{"contents": "x"}]}}', "log[0].contents is 'x', not a text in base 64"),
        ('{"id": {}, "testSummary": null}', "testSummary is None, not an object"),
    ],
)
def test_a_damaged_line_is_told_of_and_left_out(events: EventFile, line: str, problem: str) -> None:
    events.text(line)
    events.result("PASSED")
    report = events.report()
    assert report.counts == {"not_finished": 1}
    (told,) = report.build.problems
    assert told.startswith("line 2 is no build event: ")
    assert problem in told


def test_many_damaged_lines_are_counted(events: EventFile) -> None:
    for _ in range(1000):
        events.text("{")
    problems = events.report().build.problems
    assert len(problems) == 21
    assert problems[-1] == "980 more lines are no build events"
