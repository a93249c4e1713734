"""The report on a session outside of Bazel, in the words of the one on test actions."""

from __future__ import annotations

import pytest

from realservices.real_service_test_report import RealServiceTestReport, Service

_DB = Service(
    "db", kind="postgres", label="postgres", state="ready", started_ms=1.0, ready_ms=30.0, ports={"postgres": 1}
)
_DEAD = Service("auth", kind="executable", state="failed", started_ms=2.0, cause="service 'auth' exited with code 3")
_OTHERS = Service("cache", kind="redis", state="ready", ports={"redis": 6379})


def test_what_the_plan_wants_to_know() -> None:
    report = RealServiceTestReport.from_services([_DB, _DEAD, _OTHERS], {"a": "passed", "b": "failed"})
    assert report.generate() == {
        "services_started": [
            {"test": "pytest", "name": "db", "kind": "postgres", "label": "postgres", "state": "ready"},
            {"test": "pytest", "name": "auth", "kind": "executable", "label": "", "state": "failed"},
        ],
        "startup_time": {"pytest": {"db": 30.0, "auth": None, "cache": None}},
        "port_allocations": {"pytest": {"db": {"postgres": 1}, "auth": {}, "cache": {"redis": 6379}}},
        "health_check_results": {
            "pytest": {"db": "ready", "auth": "service 'auth' exited with code 3", "cache": "ready"}
        },
        "test_results": {"a": "passed", "b": "failed"},
    }


@pytest.mark.parametrize(
    ("services", "tests", "status"),
    [
        ([_DB], {"a": "passed", "b": "skipped"}, "passed"),
        ([_DB], {"a": "skipped"}, "skipped"),
        ([_DB, _DEAD], {"a": "error"}, "failed"),
        ([_DB, _DEAD], {"a": "passed"}, "service_failed"),
        ([], {}, "passed"),
    ],
)
def test_what_the_session_is(services: list[Service], tests: dict[str, str], status: str) -> None:
    assert RealServiceTestReport.from_services(services, tests).counts == {status: 1}


def test_its_page() -> None:
    report = RealServiceTestReport.from_services([_DB, _DEAD], {"tests/a.py::test_x": "failed"}, 1.0)
    page = report.to_html()
    assert "<title>pytest" in page
    assert "tests/a.py::test_x: failed" in page
    assert "service &#x27;auth&#x27; exited with code 3" in page
