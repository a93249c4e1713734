"""The JUnit XML: services and program, in a form that every parser reads, whatever the program left there."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.launcher.launched import Launched, postgres, redis

_OWN = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" tests="2" failures="1" errors="0"
><testcase classname="app" name="good" time="0.1"/><testcase classname="app" name="bad"
><failure message="no">text with &lt;/testsuites&gt; in it</failure></testcase></testsuite></testsuites>
"""


def _report(launched: Launched) -> ElementTree.Element:
    return ElementTree.fromstring(launched.written("test.xml"))


def _suites(root: ElementTree.Element) -> dict[str, ElementTree.Element]:
    return {suite.attrib["name"]: suite for suite in root}


def _cases(suite: ElementTree.Element) -> dict[str, ElementTree.Element]:
    return {case.attrib["name"]: case for case in suite.iter("testcase")}


def _properties(element: ElementTree.Element) -> dict[str, str]:
    return {entry.attrib["name"]: entry.attrib["value"] for entry in element.iterfind("properties/property")}


def test_a_program_without_a_report_of_its_own_is_one_case(tmp_path: Path, template: Path) -> None:
    with Launched(tmp_path / "run", [postgres(), redis()], template=template) as launched:
        launched.finish()
        root = _report(launched)
    assert root.tag == "testsuites"
    assert list(_suites(root)) == ["services", "//app:app_test"]
    services = _suites(root)["services"]
    assert (services.attrib["tests"], services.attrib["failures"]) == ("2", "0")
    assert list(_cases(services)) == ["db", "cache"]
    for case in _cases(services).values():
        assert case.attrib["classname"] == "//app:app_test.services"
        assert 0 < float(case.attrib["time"]) < 60
        assert [child.tag for child in case] == ["properties"]
    (case,) = _suites(root)["//app:app_test"]
    assert list(case) == []


def test_its_failure_is_an_error_of_that_case(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", []) as launched:
        launched.finish(3)
        root = _report(launched)
    assert list(_suites(root)) == ["//app:app_test"]
    ((error,),) = _suites(root)["//app:app_test"]
    assert (error.tag, error.attrib["message"]) == ("error", "exited with code 3")


def test_a_report_of_its_own_is_kept_whole(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        launched.program.do("report", text=_OWN)
        launched.finish(1)
        root = _report(launched)
    assert list(_suites(root)) == ["pytest", "services"]
    cases = _cases(_suites(root)["pytest"])
    assert list(cases) == ["good", "bad"]
    assert cases["bad"][0].text == "text with </testsuites> in it"


@pytest.mark.parametrize(
    "own",
    [
        '<testsuite name="own" tests="1"><testcase name="only"/></testsuite>',
        '<?xml version="1.0"?>\n<testsuite name="own" tests="1"><testcase name="only"/></testsuite>\n',
        '<?xml version="1.0"?>\n<!-- by a tool --><testsuites><testsuite name="own"><testcase name="only"/></testsuite></testsuites>',
    ],
    ids=["one suite", "one suite with declaration", "with a comment"],
)
def test_other_forms_of_report_are_kept_too(tmp_path: Path, own: str) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        launched.program.do("report", text=own)
        launched.finish()
        root = _report(launched)
    assert root.tag == "testsuites"
    assert list(_suites(root)) == ["own", "services"]
    assert list(_cases(_suites(root)["own"])) == ["only"]


@pytest.mark.parametrize(
    "own",
    [
        "",
        "<testsuites/>",
        "<testsuites",
        '<testsuites><testsuite name="half"><testcase na',
        "no XML at all",
        "\x00\x01",
    ],
)
def test_a_report_that_is_none_is_replaced(tmp_path: Path, own: str) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        launched.program.do("report", text=own)
        launched.finish()
        root = _report(launched)
    assert list(_suites(root)) == ["services", "//app:app_test"]


def test_a_service_that_died_is_a_failure_with_its_log(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        with launched.control() as control:
            pid = control.ask("status")["services"]["cache"]["pid"]
        launched.program.do("report", text=_OWN)
        os.kill(pid, 9)
        launched.await_state("cache", "failed")
        assert launched.finish(0) == 1
        root = _report(launched)
    (case,) = _cases(_suites(root)["services"]).values()
    (failure,) = case.iterfind("failure")
    assert failure.attrib["message"].startswith("was killed by SIGKILL while the test ran")
    assert failure.text is not None
    assert "Ready to accept connections" in failure.text
    # The launcher's verdict is a case of its own, so that no reader of the report takes the test for passed.
    ((error,),) = _suites(root)["//app:app_test"]
    assert "service 'cache' (//app:cache) was killed by SIGKILL" in error.attrib["message"]
    assert list(_suites(root)) == ["pytest", "services", "//app:app_test"]


def test_what_xml_cannot_hold_is_replaced(tmp_path: Path) -> None:
    # Redis shows its bad directive in the log, so that the test chooses what is in it: control characters, markup, and
    # the two code points that XML has no place for.
    odd = "\x01\x1b[31m<&>\"'\ufffe\uffff"
    with Launched(tmp_path / "run", [redis(no_such_directive=odd)]) as launched:
        assert launched.wait() == 1
        assert "Traceback" not in launched.output
        root = _report(launched)
    (failure,) = _suites(root)["services"].iterfind("testcase/failure")
    assert failure.text is not None
    assert "no-such-directive" in failure.text
    assert "[31m<&>\"'" in failure.text


def test_a_fault_of_the_machine_is_reported_too(tmp_path: Path) -> None:
    with Launched(
        tmp_path / "run", [redis(), redis("b"), redis("c")], env={"REALSERVICES_PORT_RANGE": "1024-1025"}
    ) as launched:
        assert launched.wait() == 1
        ((error,),) = _suites(_report(launched))["//app:app_test"]
    assert error.attrib["message"].startswith("no free block of 16 ports")
