"""What is read of the build itself."""

from __future__ import annotations

from base64 import b64encode

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
