"""A service of the user's own: what it is given, how a test stops and starts it, and how it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.executables import PORT, executable, port
from tests.launcher.launched import DEADLINE_S, Launched, redis


def _given(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def _is_open(number: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", number)) == 0


def _pid(launched: Launched, name: str) -> int:
    with launched.control() as control:
        pid: int = control.ask("status")["services"][name]["pid"]
        return pid


def test_its_own_addresses_and_those_of_others_are_filled_in(tmp_path: Path) -> None:
    app = executable(
        "app",
        *("dump", str(tmp_path / "given"), "listen", PORT, "listen", port("admin")),
        ports=("http", "admin"),
        env={
            "CACHE": [{"service": "cache", "field": "url"}],
            "OTHER": ["at ", port("side", "other"), "!"],
            "OWN": [{"service": "", "field": "url"}, "/x"],
        },
        websocket_url=["ws://", {"service": "", "field": "host"}, ":", port("admin"), "/ws"],
        needs=("cache", "other"),
    )
    other = executable("other", "listen", port("main"), "listen", port("side"), ports=("main", "side"))
    with Launched(tmp_path / "run", [redis(), other, app]) as launched:
        endpoints, environment = launched.endpoints, launched.program.environment
        given = _given(tmp_path / "given")
        own, ports = endpoints["app"], endpoints["app"]["ports"]
        launched.finish()
    assert list(ports) == ["http", "admin"]
    assert given["arguments"][2:] == ["listen", str(ports["http"]), "listen", str(ports["admin"])]
    assert given["environment"]["CACHE"] == endpoints["cache"]["url"]
    assert given["environment"]["OTHER"] == f"at {endpoints['other']['ports']['side']}!"
    assert given["environment"]["OWN"] == f"{own['url']}/x"
    assert own["url"] == f"http://127.0.0.1:{ports['http']}"
    assert own["websocket_url"] == f"ws://127.0.0.1:{ports['admin']}/ws"
    assert (own["port"], own["needs"], own["password"]) == (ports["http"], ["cache", "other"], "")
    assert endpoints["cache"]["ports"] == {"redis": endpoints["cache"]["port"]}
    assert environment["REALSERVICES_APP_URL"] == own["url"]
    assert environment["REALSERVICES_APP_ADMIN_PORT"] == str(ports["admin"])
    assert environment["REALSERVICES_APP_HTTP_PORT"] == environment["REALSERVICES_APP_PORT"]
    assert environment["REALSERVICES_CACHE_REDIS_PORT"] == environment["TEST_REDIS_PORT"]


def test_it_runs_in_a_directory_of_its_own_and_finds_runfiles(tmp_path: Path) -> None:
    app = executable("app", "dump", str(tmp_path / "given"), "listen", PORT, env={"FILE": [{"file": "_main/a.txt"}]})
    env = {"RUNFILES_MANIFEST_FILE": "/nowhere", "RUNFILES_MANIFEST_ONLY": "1", "SECRET_OF_CI": "x"}
    with Launched(tmp_path / "run", [app], env=env) as launched:
        private = Path(launched.program.environment["REALSERVICES_RUNTIME"]).parent
        given = _given(tmp_path / "given")
        environment = given["environment"]
        assert Path(given["cwd"]).parent == private
        assert environment["HOME"] == given["cwd"]
        assert Path(environment["TMPDIR"]).parent == Path(given["cwd"])
        assert Path(environment["TMPDIR"]).is_dir()
        for name in ("RUNFILES_DIR", "JAVA_RUNFILES", "PYTHON_RUNFILES"):
            assert environment[name] == str(launched.runfiles)
        assert environment["FILE"] == f"{launched.runfiles}/_main/a.txt"
        unwanted = [
            name for name in environment if name.startswith(("RUNFILES_MANIFEST", "SECRET", "TEST_", "COVERAGE"))
        ]
        assert unwanted == []
        launched.finish()
    assert not private.exists()


def test_one_without_ports_is_a_service_too(tmp_path: Path) -> None:
    worker = executable("worker", "print", "at work", ports=(), ready={"type": "log", "pattern": "^at work$"})
    with Launched(tmp_path / "run", [worker]) as launched:
        endpoint = launched.endpoints["worker"]
        assert (endpoint["port"], endpoint["ports"], endpoint["url"]) == (0, {}, "")
        assert [name for name in launched.program.environment if name.startswith("REALSERVICES_WORKER")] == []
        assert launched.finish() == 0


def test_a_test_stops_it_by_its_signal_and_starts_it_at_the_same_ports(tmp_path: Path) -> None:
    app = executable(
        "app", *("at", "SIGINT", str(tmp_path / "ended"), "by SIGINT", "listen", PORT), stop_signal="SIGINT"
    )
    with Launched(tmp_path / "run", [app]) as launched, launched.control() as control:
        number = launched.endpoints["app"]["port"]
        assert control.ask("stop", service="app") == {"ok": True}
        assert (tmp_path / "ended").read_text("utf-8") == "by SIGINT\n"
        assert not _is_open(number)
        assert control.ask("start", service="app") == {"ok": True}
        assert control.ask("wait", services=["app"]) == {"ok": True}
        assert _is_open(number)
        assert control.ask("kill", service="app") == {"ok": True}
        assert not _is_open(number)
        assert control.ask("start", service="app") == {"ok": True}
        assert control.ask("wait", services=["app"]) == {"ok": True}
        assert launched.finish() == 0


def test_one_that_does_not_end_is_killed_after_its_grace(tmp_path: Path) -> None:
    with (
        Launched(tmp_path / "run", [executable("app", "ignore", "SIGTERM", "listen", PORT, grace_s=0)]) as launched,
        launched.control() as control,
    ):
        assert control.ask("stop", service="app") == {"ok": True}
        assert control.state("app") == "stopped"
        assert launched.finish() == 0


def test_it_is_killed_at_the_end_without_being_asked(tmp_path: Path) -> None:
    app = executable("app", "at", "SIGTERM", str(tmp_path / "ended"), "asked", "listen", PORT)
    with Launched(tmp_path / "run", [app]) as launched:
        assert launched.finish() == 0
    assert not (tmp_path / "ended").exists()


def test_coverage_is_written_at_the_end_in_the_reverse_order_of_needs(tmp_path: Path) -> None:
    ended = str(tmp_path / "ended")
    services = [
        executable("first", "at", "SIGTERM", ended, "first", "dump", str(tmp_path / "given"), "listen", PORT),
        executable("second", "at", "SIGTERM", ended, "second", "listen", PORT, needs=("first",)),
        executable("stubborn", "ignore", "SIGTERM", "listen", PORT, needs=("second",), grace_s=1),
    ]
    coverage = tmp_path / "coverage"
    coverage.mkdir()
    env = {"COVERAGE_DIR": str(coverage), "COVERAGE_MANIFEST": "/m", "LLVM_PROFILE_FILE": "/p", "LCOV_MERGER": "/l"}
    with Launched(tmp_path / "run", services, env=env) as launched:
        assert launched.finish() == 0
    assert Path(ended).read_text("utf-8") == "second\nfirst\n"
    environment = _given(tmp_path / "given")["environment"]
    assert environment["COVERAGE_DIR"] == f"{coverage}/first"
    assert (coverage / "first").is_dir()
    assert (environment["COVERAGE_MANIFEST"], environment["LLVM_PROFILE_FILE"]) == ("/m", "/p")
    assert "LCOV_MERGER" not in environment


def test_its_death_fails_a_test_that_passes(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [executable("app", "print", "last words", "listen", PORT)]) as launched:
        os.kill(_pid(launched, "app"), signal.SIGSEGV)
        launched.await_state("app", "failed")
        assert launched.finish(0) == 1
        assert "service 'app' (//app:app) was killed by SIGSEGV while the test ran" in launched.output
        assert "\n    last words" in launched.output


@pytest.mark.parametrize("ready", ["tcp", "exec"])
def test_nothing_of_it_outlives_a_killed_launcher(tmp_path: Path, ready: str) -> None:
    children = tmp_path / "children"
    app = executable("app", "child", str(children), "listen", PORT, "touch", str(tmp_path / "started"))
    probe = {"type": "exec", "program": "server", "args": [["child"], [str(children)]]}
    services = [app, executable("late", ready=probe)] if ready == "exec" else [app]
    with Launched(tmp_path / "run", services) as launched:
        if ready == "tcp":
            pids = [_pid(launched, "app")]
        else:  # The probe never ends: the launcher is killed in the middle of it.
            pids = [launched.await_service(Path(os.readlink("/proc/self/exe")).name)]
            _await_lines(children, 2)
        _await_lines(children, 1)
        pids += map(int, children.read_text("ascii").split())
        ends = [os.pidfd_open(pid) for pid in pids]
        launched.kill_and_await_guardian()
        for descriptor in ends:
            readable, _, _ = select.select([descriptor], [], [], DEADLINE_S)
            assert readable, "a process still runs"
            os.close(descriptor)


def _await_lines(path: Path, count: int) -> None:
    for _ in range(int(DEADLINE_S * 1000)):
        if path.exists() and path.read_text("ascii").count("\n") >= count:
            return
        select.select([], [], [], 0.001)
    raise AssertionError(f"{path} has fewer than {count} lines")
