"""One test action: what it is called, and why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realservices.report.report_model import Attempt
from tests.report.events import LABEL, EventFile, junit, service_case

_CASE_FAILS = (
    '<testcase classname="shop" name="total" time="0.2"><failure message="assert 0 == 3">text</failure></testcase>'
)
_CASE_PASSES = '<testcase classname="shop" name="good" time="1,200.5"/>'
_DEAD = '<failure message="was killed by SIGKILL">service dead&#10;  its last log lines:&#10;    a&#10;    b</failure>'


def _attempt(events: EventFile) -> Attempt:
    ((attempt,),) = [target.attempts for target in events.report().targets]
    return attempt


def test_a_failed_assertion_is_a_failure(events: EventFile) -> None:
    events.result("FAILED", {"test.xml": junit(cases=_CASE_FAILS + _CASE_PASSES, services=service_case("db"))})
    attempt = _attempt(events)
    assert (attempt.status, attempt.why) == ("failed", "shop.total: assert 0 == 3")
    assert attempt.counts == {"failed": 1, "passed": 1}
    assert [(case.name, case.status, case.time_s) for case in attempt.cases] == [
        ("shop.total", "failed", 0.2),
        ("shop.good", "passed", 1200.5),
    ]


def test_of_a_message_that_pytest_cut_off_the_error_itself_is_told(events: EventFile) -> None:
    message = "failed on setup with &quot;file /cart.py, line 70&#10;[+12 more lines; full report in element text]"
    text = "file /cart.py, line 70\n  async def test_total(basket):\nE       fixture 'basket' not found\n&gt;       available: a"
    case = f'<testcase name="total"><error message="{message}">{text}</error></testcase>'
    events.result("FAILED", {"test.xml": junit(cases=case)})
    assert _attempt(events).why == "total: fixture 'basket' not found"


def test_a_runner_that_writes_no_message_is_understood(events: EventFile) -> None:
    case = '<testcase name="total"><failure>\nexpected 3\ngot 0\n</failure></testcase>'
    events.result("FAILED", {"test.xml": junit(cases=case)})
    assert _attempt(events).why == "total: expected 3"


def test_a_service_that_died_is_the_cause_of_assertions_that_failed_with_it(events: EventFile) -> None:
    services = service_case("db", label="//shop:db", result=_DEAD) + service_case("web", result="<skipped/>")
    events.result("FAILED", {"test.xml": junit(cases=_CASE_FAILS, services=services)})
    attempt = _attempt(events)
    assert attempt.status == "service_failed"
    assert attempt.why == "service 'db' (//shop:db) was killed by SIGKILL\nnot started because of it: web"
    assert [(one.state, one.cause, one.log_tail) for one in attempt.services] == [
        ("failed", "was killed by SIGKILL", "a\nb"),
        ("waiting", "", ""),
    ]


def test_a_time_out_is_one_whatever_else_went_wrong(events: EventFile) -> None:
    verdict = f'<testcase name="{LABEL}"><error message="ended by SIGTERM after 8 s"/></testcase>'
    services = service_case("db", result=_DEAD)
    events.result("TIMEOUT", {"test.xml": junit(cases=verdict, services=services)})
    attempt = _attempt(events)
    assert (attempt.status, attempt.why) == ("timed_out", "ended by SIGTERM after 8 s")


def test_a_fault_of_the_machine_is_no_failure_of_the_test(events: EventFile) -> None:
    files = {"test.xml": junit(cases=_CASE_FAILS), "test.infrastructure_failure": "ports\nno free block\n"}
    events.result("FAILED", files)
    assert (_attempt(events).status, _attempt(events).why) == ("machine_failed", "ports: no free block")


def test_a_fault_of_remote_execution_is_one_too(events: EventFile) -> None:
    events.result("REMOTE_FAILURE", statusDetails="worker lost")
    assert (_attempt(events).status, _attempt(events).why) == ("machine_failed", "worker lost")


def test_a_program_that_says_nothing_failed_by_its_exit_code(events: EventFile) -> None:
    verdict = f'<testcase name="{LABEL}"><error message="exited with code 3"/></testcase>'
    events.result("FAILED", {"test.xml": junit(cases=verdict)})
    assert (_attempt(events).status, _attempt(events).why) == ("failed", "exited with code 3")


def test_only_the_first_failures_are_told_in_the_reason(events: EventFile) -> None:
    cases = "".join(_CASE_FAILS.replace("total", f"total_{number}") for number in range(5))
    events.result("FAILED", {"test.xml": junit(cases=cases)})
    assert _attempt(events).why.splitlines()[2:] == ["shop.total_2: assert 0 == 3", "and 2 more"]
    assert len(_attempt(events).cases) == 5


def test_a_report_that_is_no_xml_is_told_of(events: EventFile) -> None:
    events.result("FAILED", {"test.xml": "<testsuites><tests"})
    assert _attempt(events).notes == ["test.xml: is no XML: unclosed token: line 1, column 12"]


def test_an_xml_that_declares_entities_is_not_read(events: EventFile) -> None:
    bomb = "".join(f'<!ENTITY e{number} "{f"&e{number - 1};" * 10 if number else "x"}">' for number in range(30))
    events.result("FAILED", {"test.xml": f"<!DOCTYPE t [{bomb}]><testsuites>&e29;</testsuites>"})
    assert _attempt(events).notes == ["test.xml: is no XML: it has a DOCTYPE 't', which no test runner writes"]


def test_numbers_that_are_none_are_left_out(events: EventFile) -> None:
    case = service_case("cache", ready_ms="nan", started_ms="1e999", cpu_ms="-inf", ports="redis=²,http=80")
    events.result("FAILED", {"test.xml": junit(cases='<testcase name="a" time="inf"/>', services=case)})
    (service,) = _attempt(events).services
    assert (service.ready_ms, service.started_ms, service.cpu_ms, service.ports) == (None, None, None, {"http": 80})
    json.loads(events.report().to_json(), parse_constant=pytest.fail)


def test_a_suite_that_only_has_the_name_of_ours_is_the_programs(events: EventFile) -> None:
    xml = f'<testsuites><testsuite name="services">{_CASE_FAILS}</testsuite></testsuites>'
    events.result("FAILED", {"test.xml": xml})
    assert (_attempt(events).why, _attempt(events).services) == ("shop.total: assert 0 == 3", [])


def test_times_ports_and_usage_come_from_the_properties(events: EventFile) -> None:
    values = {
        "kind": "postgres",
        "label": "//shop:db",
        "needs": "",
        "started_ms": "4.0",
        "ready_ms": "31.5",
        "state": "ready",
        "ports": "postgres=10001",
        "cpu_ms": "12.5",
        "peak_mb": "16.0",
    }
    chain = "".join(
        f'<property name="{name}" value="{value}"/>'
        for name, value in {
            "ready_ms": "35.5",
            "critical_path": "db",
            "program_started_ms": "3.0",
            "program_ended_ms": "950.0",
            "program_cpu_ms": "310.0",
            "program_peak_mb": "55.0",
        }.items()
    )
    events.result("PASSED", {"test.xml": junit(services=service_case("db", **values), chain=chain)})
    attempt = _attempt(events)
    (service,) = attempt.services
    assert (service.kind, service.label, service.state, service.is_critical) == ("postgres", "//shop:db", "ready", True)
    assert (service.started_ms, service.ready_ms, service.cpu_ms, service.peak_mb) == (4.0, 31.5, 12.5, 16.0)
    assert service.ports == {"postgres": 10001}
    assert (attempt.services_ready_ms, attempt.critical_path) == (35.5, ["db"])
    assert attempt.program is not None
    assert (attempt.program.started_ms, attempt.program.ended_ms) == (3.0, 950.0)
    assert (attempt.program.cpu_ms, attempt.program.peak_mb) == (310.0, 55.0)


def test_services_json_serves_where_there_is_no_xml(events: EventFile) -> None:
    entry = {"kind": "redis", "label": "//shop:cache", "needs": [], "started_ms": 4.0, "ports": {"redis": 10001}}
    content = {
        "ready_ms": None,
        "critical_path": ["cache"],
        "services": [
            {"name": "cache", "state": "failed", "ready_ms": 5.0, "cpu_ms": 2.0, "peak_mb": 11.0, **entry},
            {"name": "late", "state": "waiting", "ready_ms": None, **entry},
        ],
    }
    folder = events.directory / "outputs"
    folder.mkdir()
    (folder / "services.json").write_text(json.dumps(content), encoding="utf-8")
    events.result("FAILED", uris={"test.outputs": folder.as_uri()})
    attempt = _attempt(events)
    assert attempt.status == "service_failed"
    assert [(s.name, s.state, s.cpu_ms, s.is_critical) for s in attempt.services] == [
        ("cache", "failed", 2.0, True),
        ("late", "waiting", None, False),
    ]


def test_a_services_json_of_somebody_else_is_no_matter(events: EventFile) -> None:
    damaged = {
        "[]": "it is [], not an object",
        '{"services": 3}': "critical_path is missing: a list of texts",
        "no JSON": "Expecting value: line 1 column 1 (char 0)",
        "[" * 100_000: "it is nested too deeply",
        '{"critical_path": [], "ready_ms": NaN, "services": []}': "NaN is not a JSON number",
        '{"critical_path": [], "ready_ms": 1e999, "services": []}': "ready_ms is inf, not a number or null",
        '{"critical_path": [], "ready_ms": "4", "services": []}': "ready_ms is '4', not a number or null",
    }
    for number, text in enumerate(damaged, 1):
        folder = events.directory / str(number)
        folder.mkdir()
        (folder / "services.json").write_text(text, encoding="utf-8")
        events.result("FAILED", uris={"test.outputs": folder.as_uri()}, numbers=(1, 1, number))
    (target,) = events.report().targets
    assert {attempt.status for attempt in target.attempts} == {"failed"}
    assert [attempt.notes for attempt in target.attempts] == [[f"services.json: {why}"] for why in damaged.values()]


@pytest.mark.parametrize(
    ("fields", "cache"),
    [
        ({}, ""),
        ({"cachedLocally": True}, "local"),
        ({"executionInfo": {"cachedRemotely": True, "strategy": "remote cache hit"}}, "remote"),
        ({"executionInfo": {"cachedRemotely": True, "strategy": "disk cache hit"}}, "disk"),
    ],
)
def test_where_a_result_came_from(events: EventFile, fields: dict[str, Any], cache: str) -> None:
    events.result("PASSED", **fields)
    assert _attempt(events).cache == cache


def test_bazels_times_in_both_forms(events: EventFile) -> None:
    breakdown = {"child": [{"name": "queueTime", "time": "0s"}, {"name": "networkTime", "timeMillis": "12"}]}
    events.result("PASSED", executionInfo={"timingBreakdown": breakdown})
    old: dict[str, Any] = {"testAttemptDurationMillis": "250", "testAttemptStartMillisEpoch": "1790000000250"}
    events.result("PASSED", numbers=(1, 2, 1), **old)
    (target,) = events.report().targets
    new_form, _ = target.attempts
    assert new_form.timing == {"networkTime": 12.0}
    assert (new_form.duration_ms, new_form.started_epoch_ms) == (1500.0, 1_790_000_000_250.0)
