"""Damaged input of the report: it is made all the same, its page can be read, and it says what is wrong.

Bazel's tests do not have the report: this runs outside (`tools/test outside`).
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from realservices.report.errors import ReportError
from realservices.report.run_report import RealServiceTestReport
from tests.fuzz.mutations import Mutations, check_words
from tests.report.events import LABEL, START_MS, EventFile, junit, service_case

_IDENTITY = {"label": LABEL, "configuration": {"id": "c"}}
_EVENTS: list[dict[str, Any]] = [
    {"id": {"pattern": {"pattern": ["//..."]}}, "expanded": {}},
    {"id": {"targetConfigured": {"label": LABEL}}, "configured": {"targetKind": "py_test rule", "testSize": "SMALL"}},
    {"id": {"targetCompleted": _IDENTITY}, "completed": {"success": True, "testTimeout": "60s"}},
    {
        "id": {"testResult": {**_IDENTITY, "run": 1, "shard": 1, "attempt": 1}},
        "testResult": {
            "status": "FAILED",
            "testActionOutput": [{"name": "test.log", "uri": "file:///nowhere"}],
            "testAttemptDuration": "1.5s",
            "testAttemptStart": "2026-09-21T14:13:20.250Z",
            "executionInfo": {"strategy": "local", "timingBreakdown": {"child": [{"name": "a", "time": "1s"}]}},
        },
    },
    {"id": {"testSummary": _IDENTITY}, "testSummary": {"overallStatus": "FAILED"}},
    {
        "id": {"actionCompleted": {"label": "//a:b"}},
        "action": {"success": False, "type": "Javac", "stderr": {"uri": "file:///nowhere"}, "exitCode": 1},
    },
    {"id": {"targetCompleted": {"label": "//a:c"}}, "aborted": {"reason": "ANALYSIS_FAILURE", "description": "it is"}},
    {"id": {"buildMetrics": {}}, "buildMetrics": {"actionSummary": {"runnerCount": [{"name": "local", "count": 1}]}}},
    {"id": {"buildToolLogs": {}}, "buildToolLogs": {"log": [{"name": "critical path", "contents": "YQ=="}]}},
    {"id": {"buildFinished": {}}, "finished": {"finishTimeMillis": str(START_MS), "exitCode": {"name": "SUCCESS"}}},
]
_SERVICES = {
    "ready_ms": 9.5,
    "critical_path": ["cache"],
    "services": [
        {
            "name": "cache", "kind": "redis", "label": "//shop:cache", "needs": [], "state": "failed", "started_ms": 4.0,
            "ready_ms": 5.0, "ports": {"redis": 10001}, "cpu_ms": 2.0, "peak_mb": None,
        }
    ],
    "program": {"started_ms": 1.0, "ended_ms": 2.0, "cpu_ms": 1.0, "peak_mb": 3.0},
}  # fmt: skip
_XML = junit(
    cases='<testcase classname="a" name="b" time="1"><failure message="m">&#10;t</failure></testcase><testcase name="c"/>',
    services=service_case("cache", kind="redis", ready_ms="5.0", ports="redis=1", needs="a,b"),
    chain='<property name="ready_ms" value="9.5"/><property name="critical_path" value="cache"/>',
)


def _lines(events: list[dict[str, Any]]) -> str:
    # A list of something else may be what a mutation makes.
    return "".join(json.dumps(each) + "\n" for each in events) if isinstance(events, list) else json.dumps(events)


def test_build_events(tmp_path: Path) -> None:
    mutations = Mutations("build events", _EVENTS, _lines)
    path = tmp_path / "events.json"
    path.write_bytes(mutations.whole)
    report = RealServiceTestReport.from_build_events(path)
    assert (report.counts, report.build.problems) == ({"failed": 1}, [])
    for seed, text in mutations:
        path.write_bytes(text)
        with mutations.tried(seed, text):
            try:
                report = RealServiceTestReport.from_build_events(path, previous=path)
            except ReportError as error:
                check_words(error, path)
            else:
                _check_page(report)


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("services.json", json.dumps(_SERVICES)),
        ("test.xml", _XML),
        ("outputs.zip", ""),
        ("report.json", ""),
    ],
)
def test_files_beside_them(tmp_path: Path, name: str, whole: str) -> None:
    events = EventFile(tmp_path)
    mutations = {
        "services.json": Mutations(name, _SERVICES),
        "outputs.zip": Mutations(name, _archive(), lambda text: str(text)),
        "report.json": Mutations(name, {"version": 1, "targets": [{"label": LABEL, "status": "passed", "duration_ms": 1.5}],
                                        "build": {"started_epoch_ms": 1.5}}),
    }.get(name) or Mutations(name, whole, lambda text: str(text))  # fmt: skip
    path = tmp_path / "outputs" / name
    path.parent.mkdir()
    uri = {"test.xml": path, "outputs.zip": path}.get(name, path.parent).as_uri()
    events.result("FAILED", uris={"test.xml" if name == "test.xml" else "test.outputs": uri})
    build = events.write()
    previous = path if name == "report.json" else None
    path.write_bytes(_bytes(mutations.whole, name))
    (attempt,) = RealServiceTestReport.from_build_events(build, previous=previous).targets[0].attempts
    assert attempt.notes == []
    assert len(attempt.services) == (1 if name in ("services.json", "test.xml", "outputs.zip") else 0)
    for seed, text in mutations:
        path.write_bytes(_bytes(text, name))
        with mutations.tried(seed, text):
            try:
                report = RealServiceTestReport.from_build_events(build, previous=previous)
            except ReportError as error:
                check_words(error, path if previous else "there is no other file to be refused")
                continue
            (attempt,) = report.targets[0].attempts
            if name == "services.json" and not attempt.notes:
                json.loads(text.decode(errors="replace"))
            _check_page(report)


def _archive() -> str:
    """Return an archive's bytes as characters, as mutations are of texts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("services.json", json.dumps(_SERVICES))
        archive.writestr("db.log", "from db\n" * 100)
        archive.writestr("a/b.log", "from b\n")
    return file.getvalue().decode("latin-1")


def _bytes(text: bytes, name: str) -> bytes:
    if name != "outputs.zip":
        return text
    # What the original's characters stand for, and what has been put between them as it is.
    return text.decode("utf-8", "replace").encode("latin-1", "replace")


def _check_page(report: RealServiceTestReport) -> None:
    """See that the page's data is JSON to a browser, which knows no NaN, and that nothing else ends its script."""
    page = report.to_html().encode("utf-8", "replace").decode()
    (data,) = re.findall(r'<script[^>]*type="application/json"[^>]*>(.*?)</script', page, re.DOTALL)
    content = json.loads(data, parse_constant=pytest.fail)
    assert content["targets"] is not None
    report.generate()
