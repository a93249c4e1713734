"""The command line, as tools/report starts it, and the class behind it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from realservices.real_service_test_report import RealServiceTestReport, ReportError
from tests.report.events import LABEL, EventFile, junit, service_case
from tests.scratch import ROOT


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "tools" / "report", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=60)


def _events(directory: Path, status: str) -> EventFile:
    directory.mkdir()
    events = EventFile(directory)
    events.result(status, {"test.log": f"{status}\n"})
    events.summary(status)
    return events


def test_page_json_and_one_line_are_written(tmp_path: Path) -> None:
    page, data = tmp_path / "page.html", tmp_path / "report.json"
    done = _run(_events(tmp_path / "now", "FAILED").write(), "--output", page, "--json", data)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{page}: 1 test target: 1 failed\n"
    assert LABEL in page.read_text(encoding="utf-8")
    report = json.loads(data.read_text(encoding="utf-8"))
    assert (report["version"], report["counts"], report["comparison"]) == (1, {"failed": 1}, None)
    assert report["targets"][0]["attempts"][0]["logs"] == [{"name": "test.log", "text": "FAILED\n", "omitted_bytes": 0}]
    assert (report["build"]["duration_ms"], report["build"]["exit"]) == (2500.0, "TESTS_FAILED")


@pytest.mark.parametrize("form", ["events", "report"])
def test_a_previous_run_is_given_as_events_or_as_a_report(tmp_path: Path, form: str) -> None:
    old = _events(tmp_path / "old", "PASSED").write()
    if form == "report":
        assert _run(old, "--output", tmp_path / "old.html", "--json", tmp_path / "old.json").returncode == 0
        old = tmp_path / "old.json"
    report = RealServiceTestReport.from_build_events(_events(tmp_path / "now", "FAILED").write(), previous=old)
    assert report.comparison is not None
    assert report.comparison.new_failures == [LABEL]


def test_the_previous_runs_files_are_not_read_as_they_are_this_ones_by_now(tmp_path: Path) -> None:
    events = _events(tmp_path / "old", "FAILED")
    events.result("FAILED", {"test.infrastructure_failure": "disk\nfull"}, numbers=(1, 2, 1))
    report = RealServiceTestReport.from_build_events(events.write(), previous=events.path)
    assert report.comparison is not None
    assert report.comparison.still_failing == [LABEL]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "goes on); make one with `bazel test --build_event_json_file=FILE`"),
        ("<html>\n", "is no build event file (line 1 is no build event: Expecting value"),
        ("[]\n", "is no build event file (line 1 is no build event: it is [], not an object"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "events.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    done = _run(path, "--output", tmp_path / "page.html")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"report: {path} ")
    assert words in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_a_previous_report_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"targets": [{"label": "//a"}]}', encoding="utf-8")
    with pytest.raises(ReportError, match=r"old.json is no report.json of version 1: targets\[0\]\.status is missing"):
        RealServiceTestReport.from_build_events(_events(tmp_path / "now", "FAILED").write(), tmp_path / "old.json")


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    done = _run(_events(tmp_path / "now", "PASSED").write(), "--output", tmp_path / "missing" / "page.html")
    assert done.returncode == 2
    assert "page.html cannot be written: No such file or directory" in done.stderr


def test_an_interrupted_build_is_reported_as_far_as_it_got(tmp_path: Path) -> None:
    events = _events(tmp_path / "now", "PASSED")
    events.text('{"id": {"testResult"')
    done = _run(events.write(is_finished=False), "--output", tmp_path / "page.html", "--json", tmp_path / "report.json")
    assert done.returncode == 0
    assert "line 4 is no build event: Expecting" in done.stderr
    assert "the file ends before the build did" in done.stderr
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["build"]["duration_ms"] is None


def test_the_short_form_has_services_times_ports_health_and_results(events: EventFile) -> None:
    good = service_case("db", kind="postgres", label="//shop:db", started_ms=1, ready_ms=30, state="ready", ports="p=5")
    dead = service_case("db", label="//shop:db", started_ms=1, result='<failure message="died"/>')
    events.result("PASSED", {"test.xml": junit(services=good)}, numbers=(1, 1, 1))
    events.result("FAILED", {"test.xml": junit(services=dead)}, numbers=(1, 2, 1))
    events.summary("FAILED")
    first, second = f"{LABEL}, shard 1 of 2", f"{LABEL}, shard 2 of 2"
    assert events.report().generate() == {
        "services_started": [
            {"test": first, "name": "db", "kind": "postgres", "label": "//shop:db", "state": "ready"},
            {"test": second, "name": "db", "kind": "", "label": "//shop:db", "state": "failed"},
        ],
        "startup_time": {first: {"db": 30.0}, second: {"db": None}},
        "port_allocations": {first: {"db": {"p": 5}}, second: {"db": {}}},
        "health_check_results": {first: {"db": "ready"}, second: {"db": "died"}},
        "test_results": {LABEL: "service_failed"},
    }


def test_the_package_can_be_run_itself(tmp_path: Path) -> None:
    path = _events(tmp_path / "now", "PASSED").write()
    command = [sys.executable, "-m", "realservices.report", str(path), "--output", str(tmp_path / "page.html")]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60).returncode == 0
    assert (tmp_path / "page.html").exists()
