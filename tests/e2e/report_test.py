"""The report on a real run with one target of each kind, read as data and looked at in a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import EXECUTABLE, MISSING, Chromium
from tests.e2e import page_checks
from tests.report.events import EventFile
from tests.scratch import ROOT, Workspace

_BUILD = """
load(
    "@rules_realservices//rules:defs.bzl",
    "executable_service",
    "log_ready",
    "postgres_service",
    "real_service_test",
    "redis_service",
)

constraint_setting(name = "place")
constraint_value(name = "moon", constraint_setting = ":place")
genrule(name = "broken", outs = ["broken.txt"], cmd = "echo no such compiler >&2; exit 1")

postgres_service(name = "db", migrations = ["001.sql"])
redis_service(name = "cache")
redis_service(name = "bad_cache", settings = {"maxmemory-policy": "no-such-policy"})
redis_service(name = "mirror", services = [":bad_cache"])
executable_service(name = "worker", binary = "worker.sh", ports = [], ready = log_ready("serves"), services = [":db"])

real_service_test(name = "cached_test", srcs = ["cached_test.py"], services = [":db", ":cache", ":worker"])
real_service_test(name = "sharded_test", srcs = ["sharded_test.py"], services = [":cache"], shard_count = 3)
real_service_test(name = "failed_test", srcs = ["failed_test.py"], services = [":db", ":cache"])
real_service_test(
    name = "flaky_test",
    srcs = ["flaky_test.py"],
    services = [":cache"],
    flaky = True,
    tags = ["no-sandbox"],  # It finds out by a file outside whether it has run before.
)
real_service_test(name = "timed_out_test", test = "hang.sh", services = [":cache"], timeout = "short")
real_service_test(name = "crashed_service_test", srcs = ["crashed_service_test.py"], services = [":cache"])
real_service_test(name = "unready_service_test", test = "pass.sh", services = [":mirror"])
real_service_test(name = "unbuilt_test", test = "pass.sh", data = [":broken"])
real_service_test(name = "elsewhere_test", test = "pass.sh", target_compatible_with = [":moon"])
real_service_test(name = "machine_test", test = "pass.sh", services = [":cache"], tags = ["manual"])
"""
_FILES = {
    "001.sql": "CREATE TABLE item (id int PRIMARY KEY);\n",
    "cached_test.py": """
async def test_database(isolated_database):
    assert await isolated_database.fetchval("SELECT count(*) FROM item") == 0
""",
    "sharded_test.py": """
import pytest

@pytest.mark.parametrize("number", range(6))
async def test_number(isolated_redis, number):
    await isolated_redis.set("number", number)
""",
    # What would end the page's script element, or the page, if it were not escaped.
    "failed_test.py": r"""
async def test_good(isolated_redis):
    await isolated_redis.ping()

async def test_total(isolated_database):
    total = await isolated_database.fetchval("SELECT count(*) FROM item")
    assert total == 3, "</script><!--<script> <b>three</b> \u2028 & more"
""",
    "flaky_test.py": """
import os
from pathlib import Path

def test_second_time(isolated_redis_sync):
    isolated_redis_sync.ping()
    mark = Path(os.environ["FLAKY_MARK"])
    is_first = not mark.exists()
    mark.touch()
    assert not is_first, "the first attempt fails"
""",
    "crashed_service_test.py": """
import os
import signal

async def test_that_kills_its_cache(isolated_redis):
    os.kill((await isolated_redis.info("server"))["process_id"], signal.SIGKILL)
""",
    "hang.sh": "#!/bin/sh\ntrap 'exit 9' TERM\nwhile :; do read -r line || sleep 1; done\n",
    "pass.sh": "#!/bin/sh\n",
    "worker.sh": "#!/bin/sh\necho serves\nexec sleep 10000\n",
}
_STATUS = {
    "//shop:cached_test": "passed",
    "//shop:crashed_service_test": "service_failed",
    "//shop:elsewhere_test": "skipped",
    "//shop:failed_test": "failed",
    "//shop:flaky_test": "flaky",
    "//shop:sharded_test": "passed",
    "//shop:timed_out_test": "timed_out",
    "//shop:unbuilt_test": "not_built",
    "//shop:unready_service_test": "service_failed",
}
_WORDS = {
    "failed": "✕ Failed",
    "flaky": "≈ Flaky",
    "not_built": "∅ Not built",
    "passed": "✓ Passed",
    "service_failed": "▲ Service failed",
    "skipped": "○ Skipped",
    "timed_out": "◔ Timed out",
}


class Run:
    """One `bazel test` of the workspace, and the report on it."""

    def __init__(self, workspace: Workspace, name: str, *arguments: str, previous: Path | None = None) -> None:
        self.events = workspace.directory / f"{name}.json"
        self.page = workspace.directory / f"{name}.html"
        mark = workspace.directory / "flaky.mark"
        # 10 seconds for the target that hangs, which alone has a short time-out.
        options = ["--keep_going", "--test_timeout=10,300,900,3600", f"--test_env=FLAKY_MARK={mark}"]
        done = workspace.bazel("test", f"--build_event_json_file={self.events}", *options, *arguments)
        self.output = done.stdout + done.stderr
        assert self.events.exists(), self.output
        self.report: dict[str, Any] = write_report(self.events, self.page, previous)

    def target(self, name: str) -> dict[str, Any]:
        """Return a target of //shop."""
        (found,) = [target for target in self.report["targets"] if target["label"] == f"//shop:{name}"]
        return dict(found)


def write_report(events: Path, page: Path, previous: Path | None = None) -> dict[str, Any]:
    """Run tools/report and return its JSON."""
    data = page.with_suffix(".report.json")
    options: list[str | Path] = ["--previous", previous] if previous else []
    command = [sys.executable, ROOT / "tools" / "report", events, "--output", page, "--json", data, *options]
    subprocess.run(command, check=True, timeout=60)
    content: dict[str, Any] = json.loads(data.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = Workspace(tmp_path_factory.mktemp("reported"))
    made.module("")
    made.write("shop/BUILD.bazel", _BUILD)
    for name, text in _FILES.items():
        made.write(f"shop/{name}", text).chmod(0o755)
    yield made
    made.end()


@pytest.fixture(scope="module")
def first(workspace: Workspace) -> Run:
    return Run(workspace, "first", "//shop:cached_test", "//shop:sharded_test")


@pytest.fixture(scope="module")
def run(workspace: Workspace, first: Run) -> Run:
    return Run(workspace, "second", "//shop/...", previous=first.events)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    if not EXECUTABLE:
        pytest.skip(MISSING)
    with Chromium(tmp_path_factory.mktemp("chromium")) as chromium:
        yield chromium


def test_each_target_is_what_it_is(run: Run) -> None:
    assert {target["label"]: target["status"] for target in run.report["targets"]} == _STATUS, run.output


def test_each_says_why(run: Run) -> None:
    assert "AssertionError: </script><!--<script> <b>three</b>" in run.target("failed_test")["why"]
    assert "the test's time-out is 10 s" in run.target("timed_out_test")["why"]
    assert "service 'cache' (//shop:cache) was killed by SIGKILL" in run.target("crashed_service_test")["why"]
    unready = run.target("unready_service_test")
    assert "service 'bad_cache' (//shop:bad_cache) exited with code 1" in unready["why"]
    assert "not started because of it: mirror" in unready["why"]
    assert "'maxmemory-policy no-such-policy'" in unready["attempts"][0]["services"][0]["log_tail"]
    assert "no such compiler" in run.target("unbuilt_test")["why"]
    assert "the first attempt fails" in run.target("flaky_test")["why"]


def test_attempts_shards_and_caches_are_told(run: Run) -> None:
    flaky = [(one["attempt"], one["status"]) for one in run.target("flaky_test")["attempts"]]
    assert flaky == [(1, "failed"), (2, "passed")]
    sharded = run.target("sharded_test")
    assert (sharded["shards"], sharded["cached"]) == (3, 3)
    assert [(one["shard"], one["cache"], one["counts"]["passed"]) for one in sharded["attempts"]] == [
        (shard, "local", 2) for shard in (1, 2, 3)
    ]
    assert "action 'Testing //shop:timed_out_test'" in run.report["build"]["critical_path"]
    caches = run.report["summary"]["caches"]
    assert (caches["actions"], caches["local"]) == (10, 4)


def test_services_have_times_ports_and_usage(first: Run) -> None:
    (attempt,) = first.target("cached_test")["attempts"]
    assert attempt["critical_path"][:1] == ["db"] or attempt["critical_path"] == ["cache"]
    services = {service["name"]: service for service in attempt["services"]}
    assert list(services) == ["db", "cache", "worker"]
    for service in services.values():
        assert (
            0 <= service["started_ms"] < service["started_ms"] + service["ready_ms"] <= attempt["services_ready_ms"] + 1
        )
        assert service["cpu_ms"] > 0
        assert service["peak_mb"] > 1
    assert list(services["db"]["ports"]) == ["postgres"]
    assert attempt["program"]["started_ms"] < attempt["program"]["ended_ms"] < attempt["duration_ms"]


def test_logs_of_what_failed_are_in_it(run: Run) -> None:
    logs = {log["name"]: log["text"] for log in run.target("crashed_service_test")["attempts"][0]["logs"]}
    assert list(logs) == ["test.log", "cache.log"]
    assert "Ready to accept connections" in logs["cache.log"]


def test_a_run_is_compared_with_the_one_before(run: Run) -> None:
    failed = [
        label for label, status in _STATUS.items() if status in ("failed", "not_built", "service_failed", "timed_out")
    ]
    comparison = run.report["comparison"]
    assert comparison["new_failures"] == failed
    assert comparison["new_flaky"] == ["//shop:flaky_test"]
    assert (comparison["fixed"], comparison["removed"]) == ([], [])


def test_a_fault_of_the_machine_is_told_apart_and_unzipped_outputs_are_read(workspace: Workspace, run: Run) -> None:
    options = [
        "--test_env=REALSERVICES_PORT_RANGE=1-2",
        "--nozip_undeclared_test_outputs",
        "--test_env=REALSERVICES_LOGS=always",
    ]
    machine = Run(workspace, "machine", "//shop:machine_test", *options)
    target = machine.target("machine_test")
    assert target["status"] == "machine_failed"
    assert target["why"].startswith("ports: REALSERVICES_PORT_RANGE='1-2' is not a range of ports")
    failed = Run(workspace, "unzipped", "//shop:failed_test", "--nozip_undeclared_test_outputs").target("failed_test")
    assert [log["name"] for log in failed["attempts"][0]["logs"]] == ["test.log", "cache.log", "db.log"]


def test_the_ruleset_brings_the_report_to_every_repository(workspace: Workspace, first: Run) -> None:
    # The path is relative to where Bazel is called.
    arguments = ["@rules_realservices//realservices/report", "--", first.events.name, "--output", "by_bazel.html"]
    assert workspace.output_of("run", *arguments) == "by_bazel.html: 2 test targets: 2 passed\n"
    assert (workspace.directory / "by_bazel.html").read_bytes() == first.page.read_bytes()


# In a browser


def test_the_page_shows_each_target_as_what_it_is(browser: Chromium, run: Run) -> None:
    browser.look()
    browser.open(run.page)
    assert browser.problems == []
    assert browser.requests == [run.page.as_uri()]
    assert page_checks.results(browser) == {label: _WORDS[status] for label, status in _STATUS.items()}
    headings = browser.run("[...document.querySelectorAll('#failures h3')].map((one) => one.textContent.trim())")
    assert headings[1:] == [
        "✕ Failed //shop:failed_test",
        "◔ Timed out //shop:timed_out_test",
        "▲ Service failed //shop:crashed_service_test",
        "▲ Service failed //shop:unready_service_test",
        "∅ Not built //shop:unbuilt_test",
    ]
    # Shown as text, not taken for markup.
    assert browser.run("document.querySelectorAll('#page b, #page script').length") == 0
    assert "</script><!--<script> <b>three</b>" in browser.run("document.querySelector('#failures').textContent")


def test_a_run_without_failures_says_so(browser: Chromium, first: Run, tmp_path: Path) -> None:
    browser.look()
    browser.open(first.page)
    assert browser.problems == []
    assert browser.run("document.querySelector('h1').textContent") == "All 2 test targets passed"
    assert browser.run("document.getElementById('failures')") is None
    events = EventFile(tmp_path)
    events.result("FLAKY", cachedLocally=True)
    events.summary("FLAKY")
    (tmp_path / "flaky.html").write_text(events.report().to_html(), encoding="utf-8")
    browser.open(tmp_path / "flaky.html")
    assert browser.run("document.querySelector('h1').textContent") == "None of 1 test target failed"


def test_a_build_without_tests_has_a_page_too(browser: Chromium, tmp_path: Path) -> None:
    (tmp_path / "empty.html").write_text(EventFile(tmp_path).report().to_html(), encoding="utf-8")
    browser.open(tmp_path / "empty.html")
    assert browser.problems == []
    assert browser.run("document.querySelector('h1').textContent") == "No test targets"


def test_without_its_script_the_page_still_says_what_failed(run: Run) -> None:
    text = run.page.read_text(encoding="utf-8").partition('<script type="application/json"')[0]
    assert "5 of 9 test targets did not pass." in text
    assert "//shop:crashed_service_test: service failed<pre>service &#x27;cache&#x27;" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(browser: Chromium, run: Run, scheme: str, tmp_path: Path) -> None:
    browser.look(scheme=scheme)
    browser.open(run.page)
    page_checks.open_everything(browser)
    assert browser.run("document.querySelectorAll('.timeline').length") > 0
    assert page_checks.weak_texts(browser) == []
    assert page_checks.weak_controls(browser) == []
    directory = Path(os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR", tmp_path))
    browser.screenshot(directory / f"report-{scheme}.png")


def test_everything_can_be_reached_and_used_by_keyboard(browser: Chromium, run: Run) -> None:
    browser.look(motion="reduce")
    browser.open(run.page)
    reached = page_checks.tab_through(browser)
    assert reached[0] == "Skip to all targets"
    assert page_checks.reachable(browser) == reached
    page_checks.focus(browser, "//shop:failed_test")
    browser.press("Enter")
    assert browser.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert "Services of this test action" in browser.run("document.querySelector('.more').textContent")
    browser.press(" ")
    assert browser.run("document.activeElement.getAttribute('aria-expanded')") == "false"
    assert browser.run("document.querySelector('.more')") is None
    page_checks.focus(browser, "Time")
    for order in ("descending", "ascending"):
        browser.press("Enter")
        assert browser.run("document.activeElement.closest('th').getAttribute('aria-sort')") == order


def test_a_screen_reader_finds_names_landmarks_and_headings(browser: Chromium, run: Run) -> None:
    browser.look()
    browser.open(run.page)
    page_checks.open_everything(browser)
    assert page_checks.unnamed(browser) == []
    assert page_checks.skipped_headings(browser) == []
    roles = {node["role"]["value"] for node in browser.accessibility()}
    assert {"banner", "navigation", "main", "region", "table", "rowheader", "columnheader", "status", "figure"} <= roles


def test_a_link_to_a_target_opens_it(browser: Chromium, run: Run) -> None:
    browser.look(motion="reduce")
    browser.open(run.page)
    browser.run(
        "[...document.querySelectorAll('#failures a')].find((one) => one.textContent.includes('timed_out')).click()"
    )
    browser.run("new Promise((done) => setTimeout(done))")
    assert browser.run("document.activeElement.textContent") == "//shop:timed_out_test"
    assert browser.run("document.activeElement.getAttribute('aria-expanded')") == "true"


def test_results_are_filtered_and_their_number_is_told(browser: Chromium, run: Run) -> None:
    browser.look()
    browser.open(run.page)
    page_checks.fill(browser, "SERVICE")
    assert sorted(page_checks.results(browser)) == ["//shop:crashed_service_test", "//shop:unready_service_test"]
    assert browser.run("document.querySelector('[role=status]').textContent") == "2 of 9 targets shown."


def test_a_narrow_screen_has_no_sideways_scrolling_but_in_tables(browser: Chromium, run: Run) -> None:
    browser.look(width=320, height=640)
    browser.open(run.page)
    page_checks.open_everything(browser)
    assert browser.run("document.documentElement.scrollWidth") <= 320


def test_a_thousand_targets_open_and_filter_fast(browser: Chromium, run: Run, tmp_path: Path) -> None:
    copies = 112
    page = tmp_path / "thousand.html"
    report = write_report(page_checks.multiplied(run.events, tmp_path / "thousand.json", copies), page)
    assert len(report["targets"]) == len(_STATUS) * copies
    browser.look()
    browser.open(page)
    assert browser.problems == []
    assert browser.run("performance.getEntriesByName('report-ready')[0].startTime") < 5000
    assert page_checks.time_of_filter_ms(browser, "shop7:failed") < 1000
    assert browser.run("document.querySelector('[role=status]').textContent") == "1 of 1,008 targets shown."
    assert page.stat().st_size < 20_000_000
