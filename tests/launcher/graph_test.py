"""Services that need each other: the order and the overlap of their starts, failures, and the longest chain."""

from __future__ import annotations

import json
import os
import signal
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from tests.launcher.executables import PORT, executable
from tests.launcher.launched import Launched, redis


def _timeline(launched: Launched) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(launched.written("outputs/services.json"))
    return content


def _properties(element: ElementTree.Element) -> dict[str, str]:
    return {entry.attrib["name"]: entry.attrib["value"] for entry in element.iterfind("properties/property")}


def _rendezvous(tmp_path: Path, own: str, other: str) -> dict[str, Any]:
    return executable(own, "touch", str(tmp_path / own), "await", str(tmp_path / other), "listen", PORT)


def test_independent_services_start_together_and_those_that_need_them_wait(tmp_path: Path) -> None:
    # Each of the two waits for the other one: neither would ever be ready if they started one after the other.
    services = [
        _rendezvous(tmp_path, "left", "right"),
        _rendezvous(tmp_path, "right", "left"),
        executable("join", "listen", PORT, needs=("left", "right")),
        executable("last", "listen", PORT, needs=("join",)),
    ]
    with Launched(tmp_path / "run", services, env={"REALSERVICES_LOGS": "always"}) as launched:
        assert launched.finish() == 0
        timeline = _timeline(launched)
    start = {entry["name"]: entry["started_ms"] for entry in timeline["services"]}
    ready = {entry["name"]: entry["started_ms"] + entry["ready_ms"] for entry in timeline["services"]}
    assert start["right"] < ready["left"]
    assert start["left"] < ready["right"]
    rounding = 0.2
    assert start["join"] >= max(ready["left"], ready["right"]) - rounding
    assert start["last"] >= ready["join"] - rounding


def test_the_longest_chain_is_told(tmp_path: Path) -> None:
    services = [
        redis(),
        executable("slow", "pause", "0.3", "listen", PORT, needs=("cache",)),
        executable("quick", "listen", PORT, needs=("cache",)),
        executable("web", "listen", PORT, needs=("quick", "slow")),
        executable("aside", "listen", PORT),
    ]
    with Launched(tmp_path / "run", services, env={"REALSERVICES_LOGS": "always"}) as launched:
        ports = {name: endpoint["ports"] for name, endpoint in launched.endpoints.items()}
        passwords = [endpoint["password"] for endpoint in launched.endpoints.values() if endpoint["password"]]
        assert launched.finish() == 0
        timeline = _timeline(launched)
        report = ElementTree.fromstring(launched.written("test.xml"))
        output = launched.output
    assert timeline["test"] == "//app:app_test"
    assert timeline["critical_path"] == ["cache", "slow", "web"]
    entries = {entry["name"]: entry for entry in timeline["services"]}
    assert list(entries) == ["cache", "slow", "quick", "web", "aside"]
    assert {name: entry["ports"] for name, entry in entries.items()} == ports
    assert {entry["state"] for entry in entries.values()} == {"ready"}
    web = entries["web"]
    assert (web["kind"], web["label"], web["needs"]) == ("executable", "//app:web", ["quick", "slow"])
    assert abs(timeline["ready_ms"] - (web["started_ms"] + web["ready_ms"])) < 1
    assert entries["slow"]["ready_ms"] > 300
    assert "realservices: services ready after " in output
    assert "; longest chain: cache -> slow -> web\n" in output
    assert ", needs quick, slow\n" in output
    program = timeline["program"]
    assert timeline["ready_ms"] <= program["started_ms"] < program["ended_ms"]
    for used in (program, *timeline["services"]):
        assert used["cpu_ms"] > 0
        assert 1 < used["peak_mb"] < 1000
    assert _properties(report[0]) == {
        "ready_ms": str(timeline["ready_ms"]),
        "critical_path": "cache,slow,web",
        **{f"program_{key}": str(value) for key, value in program.items()},
    }
    cases = {case.attrib["name"]: _properties(case) for case in report[0].iter("testcase")}
    assert cases["web"] == {
        "kind": "executable",
        "label": "//app:web",
        "needs": "quick,slow",
        "started_ms": str(web["started_ms"]),
        "ready_ms": str(web["ready_ms"]),
        "on_critical_path": "true",
        "state": "ready",
        "ports": f"http={web['ports']['http']}",
        "cpu_ms": str(web["cpu_ms"]),
        "peak_mb": str(web["peak_mb"]),
    }
    assert cases["quick"]["on_critical_path"] == "false"
    assert len(passwords) == 1
    assert passwords[0] not in json.dumps(timeline) + output


def test_what_was_never_started_has_used_nothing(tmp_path: Path) -> None:
    services = [redis("first", maxmemory="plenty"), redis("second", needs=["first"])]
    with Launched(tmp_path / "run", services) as launched:
        assert launched.wait() == 1
        timeline = _timeline(launched)
    first, second = timeline["services"]
    assert first["cpu_ms"] > 0
    for unused in (second, timeline["program"]):
        assert (unused["started_ms"], unused["cpu_ms"], unused["peak_mb"]) == (None, None, None)


def test_what_each_start_of_a_service_used_is_added_up(tmp_path: Path) -> None:
    services = [executable("busy", "burn", "0.2", "listen", PORT)]
    with Launched(tmp_path / "run", services, env={"REALSERVICES_LOGS": "always"}) as launched:
        with launched.control() as control:
            assert control.ask("stop", service="busy") == {"ok": True}
            assert control.ask("start", service="busy") == {"ok": True}
            assert control.ask("wait", services=["busy"]) == {"ok": True}
        assert launched.finish() == 0
        (busy,) = _timeline(launched)["services"]
    assert busy["cpu_ms"] >= 400


def test_times_are_not_told_of_a_test_that_passes(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        assert launched.finish() == 0
        assert launched.output == ""
        assert launched.written("outputs/services.json") == ""


def test_times_are_told_beside_a_failure(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [redis()]) as launched:
        assert launched.finish(3) == 3
        assert "realservices: services ready after " in launched.output
        assert _timeline(launched)["critical_path"] == ["cache"]


def test_a_failure_names_what_was_not_started_because_of_it(tmp_path: Path) -> None:
    services = [
        redis(),
        executable("broken", "exit", "3", needs=("cache",)),
        executable("middle", needs=("broken",)),
        executable("top", needs=("cache", "middle")),
        executable("aside"),
    ]
    with Launched(tmp_path / "run", services) as launched:
        assert launched.wait() == 1
        assert "service 'broken' (//app:broken) exited with code 3" in launched.output
        assert "\n  not started because of it: middle (//app:middle), top (//app:top)\n" in launched.output
        assert "service 'middle'" not in launched.output
        assert "\n  middle  never started, needs broken\n" in launched.output
        entries = {entry["name"]: entry for entry in _timeline(launched)["services"]}
        report = ElementTree.fromstring(launched.written("test.xml"))
    assert entries["broken"]["state"] == "failed"
    assert (entries["top"]["state"], entries["top"]["started_ms"]) == ("waiting", None)
    cases = {case.attrib["name"]: case for case in report.iter("testcase")}
    skipped = {name: element.attrib["message"] for name, case in cases.items() for element in case.iter("skipped")}
    assert skipped == dict.fromkeys(["middle", "top"], "not started because of 'broken'")
    assert report[0].attrib["skipped"] == "2"


def test_who_waits_for_what_cannot_start_is_told_why(tmp_path: Path) -> None:
    services = [executable("first"), executable("second", needs=("first",))]
    with Launched(tmp_path / "run", services) as launched, launched.control() as control:
        assert launched.program.pid
        for name in ("second", "first"):
            assert control.ask("stop", service=name) == {"ok": True}
        assert control.ask("start", service="second") == {"ok": True}
        answer = control.ask("wait", services=["second"])
        assert "service 'second' (//app:second) cannot start: it needs 'first', which was stopped" in answer["error"]
        assert control.ask("start", service="first") == {"ok": True}
        # The one that waits starts with it.
        assert control.ask("wait", services=["second"]) == {"ok": True}
        os.kill(control.ask("status")["services"]["first"]["pid"], signal.SIGKILL)
        launched.await_state("first", "failed")
        assert control.ask("stop", service="second") == {"ok": True}
        assert control.ask("start", service="second") == {"ok": True}
        assert (
            "service 'first' (//app:first) was killed by SIGKILL" in control.ask("wait", services=["second"])["error"]
        )
        assert control.ask("start", service="first") == {"ok": True}
        assert control.ask("wait") == {"ok": True}
        assert launched.finish() == 0


def test_what_takes_longest_begins_first(tmp_path: Path) -> None:
    services = [redis(), executable("web", "listen", PORT)]
    with Launched(tmp_path / "run", services, env={"REALSERVICES_LOGS": "always"}) as launched:
        assert launched.finish() == 0
        start = {entry["name"]: entry["started_ms"] for entry in _timeline(launched)["services"]}
    assert start["web"] < start["cache"]
