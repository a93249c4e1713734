"""When a service of the user's own counts as ready, and what is said of one that never is."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from realservices.kinds.executable.server.readiness import ExecReadiness, TcpReadiness
from realservices.services.port_states import PortStates
from tests.launcher.executables import PORT, TCP, Value, executable, http, port
from tests.launcher.launched import Launched

_LOG = {"type": "log", "pattern": r"serving on \d+$"}


def _probe(*args: Value) -> dict[str, Any]:
    return {"type": "exec", "program": "server", "args": [[arg] for arg in args]}


@pytest.mark.parametrize(
    ("ready", "args"),
    [
        (TCP, ["listen", PORT]),
        (TCP, ["pause", "0.03", "listen", PORT]),
        (http(), ["http", PORT, "200", ""]),
        (http("/health?x=1"), ["http", PORT, "503,404,500,399", "body"]),
        (http("/", 401, 418), ["http", PORT, "200,204,418", ""]),
        (_LOG, ["listen", PORT, "print", "starting", "print", "now serving on 80"]),
        (_LOG, ["listen", PORT, "partial", "now serv", "print", "ing on 80", "print", "more"]),
        (_probe("exit", "0"), ["listen", PORT]),
    ],
)
def test_each_kind_of_readiness(tmp_path: Path, ready: dict[str, Any], args: list[Value]) -> None:
    with Launched(tmp_path / "run", [executable("app", *args, ready=ready)]) as launched:
        with socket.create_connection(("127.0.0.1", launched.endpoints["app"]["port"])):
            pass
        assert launched.finish() == 0


def test_a_program_is_asked_until_it_succeeds(tmp_path: Path) -> None:
    # It fails until it finds the file that it makes itself, in the directory and environment of the service.
    ready = _probe("once", str(tmp_path / "asked"), "3", "dump", str(tmp_path / "given"), "exit", "0")
    app = executable("app", ready=ready, env={"OWN": ["value"]})
    with Launched(tmp_path / "run", [app]) as launched:
        assert launched.finish() == 0
    assert '"OWN": "value"' in (tmp_path / "given").read_text("utf-8")


def test_an_answer_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    # It accepts long before it answers. The answer is an event: there is one request, not one after the other.
    go, requests = tmp_path / "go", tmp_path / "requests"
    app = executable("app", "late", PORT, str(go), str(requests), ready=http())
    other = executable("other", "await", str(requests), "pause", "0.4", "touch", str(go), "listen", PORT)
    with Launched(tmp_path / "run", [app, other]) as launched:
        assert launched.finish() == 0
    assert requests.read_text("ascii") == "GET / HTTP/1.1\n"


def test_one_that_is_killed_while_its_answer_is_awaited_starts_afresh(tmp_path: Path) -> None:
    go, requests = tmp_path / "go", tmp_path / "requests"
    go.touch()
    app = executable("app", "late", PORT, str(go), str(requests), ready=http())
    with Launched(tmp_path / "run", [app]) as launched, launched.control() as control:
        assert launched.program.pid
        go.unlink()
        requests.unlink()
        assert control.ask("kill", service="app") == {"ok": True}
        assert control.ask("start", service="app") == {"ok": True}
        deadline = time.monotonic() + 60
        while not requests.exists():
            assert time.monotonic() < deadline
        assert control.ask("kill", service="app") == {"ok": True}
        assert control.state("app") == "stopped"
        go.touch()
        assert control.ask("start", service="app") == {"ok": True}
        assert control.ask("wait", services=["app"]) == {"ok": True}
        assert launched.finish() == 0


def test_a_start_is_checked_anew(tmp_path: Path) -> None:
    # What made the first start ready (a log line, open ports) says nothing of the second one.
    flag = str(tmp_path / "flag")
    app = executable("app", "listen", PORT, "touch", flag, "await", str(tmp_path / "go"), "print", "up", ready=_UP)
    (tmp_path / "go").touch()
    with Launched(tmp_path / "run", [app]) as launched, launched.control() as control:
        assert launched.program.pid
        (tmp_path / "go").unlink()
        (tmp_path / "flag").unlink()
        assert control.ask("kill", service="app") == {"ok": True}
        assert control.ask("start", service="app") == {"ok": True}
        deadline = time.monotonic() + 60
        while not (tmp_path / "flag").exists():
            assert time.monotonic() < deadline
        assert control.state("app") == "starting"
        (tmp_path / "go").touch()
        assert control.ask("wait", services=["app"]) == {"ok": True}
        assert launched.finish() == 0


_UP = {"type": "log", "pattern": "^up$"}


@pytest.mark.parametrize(
    ("ready", "args", "seen"),
    [
        (TCP, ["pause", "60"], "a port that accepts no connection; its ports: http {address} connection refused"),
        (http("/h"), ["pause", "60"], "connection refused on {address} (GET http://{address}/h); its ports: http"),
        (http(), ["http", PORT, "503", "no database"], "HTTP 503 'no database' (GET http://{address}/); its ports: http {address} open"),
        (http(), ["http", PORT, "503", ""], "HTTP 503 (nothing) (GET "),
        (http(), ["talk", PORT, "220 smtp ready\r\n"], "no HTTP: '220 smtp ready' (GET "),
        (http(), ["listen", PORT], "no answer for * s (GET http://{address}/); its ports: http {address} open"),
        (_LOG, ["listen", PORT, "print", "serving on port"], r"no line of its log that matches 'serving on \\d+$'"),
        (_probe("print", "no table users", "exit", "7"), [], "server exited with code 7; its output: 'no table users'"),
    ],
)  # fmt: skip
def test_time_is_up(tmp_path: Path, ready: dict[str, Any], args: list[Value], seen: str) -> None:
    app = executable("app", "print", "words of the log", *args, ready=ready, ready_timeout_s=1)
    with Launched(tmp_path / "run", [app], env={"REALSERVICES_PORT_RANGE": "20000-29999"}) as launched:
        assert launched.wait() == 1
        output = launched.output
    cause = "service 'app' (//app:app) was not ready within 1 s (ready_timeout_s); the last try saw: "
    address = output.partition("http 127.0.0.1:")[2].split()[0]
    first, _, rest = seen.format(address=f"127.0.0.1:{address}").partition("*")
    assert cause + first in output
    assert rest in output
    assert "\n    words of the log" in output
    assert "Traceback" not in output


def test_an_answer_that_never_ends_does_not_hold_the_others_up(tmp_path: Path) -> None:
    # One thread asks both: the one that is not answered must not keep the other from being found ready.
    mute = executable("mute", "listen", PORT, ready=http(), ready_timeout_s=2)
    quick = executable("quick", "http", PORT, "200", "", ready=http())
    with Launched(tmp_path / "run", [mute, quick]) as launched:
        assert launched.wait() == 1
        assert "service 'mute'" in launched.output
        assert "\n  quick  started at " in launched.output
        quick_line = launched.output.partition("\n  quick  ")[2].partition("\n")[0]
    assert float(quick_line.partition("ready after ")[2].split()[0]) < 1000


def test_a_port_that_stays_closed_is_named(tmp_path: Path) -> None:
    app = executable("app", "print", "only http", "http", PORT, "200", "", ready=http(), ports=("http", "admin"))
    with Launched(tmp_path / "run", [app]) as launched:
        assert launched.wait() == 1
        assert (
            "service 'app' (//app:app) is ready by its own account, but did not open port 'admin' (127.0.0.1:"
            in launched.output
        )
        assert ") within 5 s after that: pass the number on to it by $(port NAME)" in launched.output
        assert "\n    only http" in launched.output


def test_a_closed_port_is_named_also_when_time_is_up_before_its_own(tmp_path: Path) -> None:
    app = executable("app", "print", "now serving on 80", "pause", "60", ready=_LOG, ready_timeout_s=1)
    with Launched(tmp_path / "run", [app]) as launched:
        assert launched.wait() == 1
        assert "is ready by its own account, but did not open port 'http' (127.0.0.1:" in launched.output
        assert ") within 1 s (ready_timeout_s): pass the number on to it by $(port NAME)" in launched.output
        assert "that matches" not in launched.output


def test_a_port_that_opens_a_little_later_is_waited_for(tmp_path: Path) -> None:
    args = ["http", PORT, "200", "", "pause", "0.2", "listen", port("admin")]
    with Launched(tmp_path / "run", [executable("app", *args, ready=http(), ports=("http", "admin"))]) as launched:
        assert launched.finish() == 0


@pytest.mark.parametrize(("code", "ready"), [("0", TCP), ("3", http()), ("4", _probe("exit", "1"))])
def test_one_that_exits_at_once_is_named(tmp_path: Path, code: str, ready: dict[str, Any]) -> None:
    app = executable("app", "print", "cannot read config", "exit", code, ready=ready)
    with Launched(tmp_path / "run", [app]) as launched:
        assert launched.wait() == 1
        assert f"service 'app' (//app:app) exited with code {code} after 0." in launched.output
        assert "before it was ready\n  its last log lines:\n    cannot read config" in launched.output


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [executable("app", program="_main/missing")]) as launched:
        assert launched.wait() == 1
        assert f"cannot start {launched.runfiles}/_main/missing: [Errno 2] No such file" in launched.output


def test_what_is_no_pattern_is_named(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [executable("app", ready={"type": "log", "pattern": "("})]) as launched:
        assert launched.wait() == 1
        assert (
            "service 'app' (//app:app): attribute 'ready': log_ready('(') is no regular expression" in launched.output
        )
        assert "Traceback" not in launched.output


def test_pauses_grow_with_the_start(tmp_path: Path) -> None:
    tcp = TcpReadiness(PortStates("127.0.0.1", {}), [])
    pauses_s = [tcp.pause_s(0.0, elapsed_s) for elapsed_s in (0.0, 0.004, 0.03, 0.2, 50.0)]
    assert pauses_s == pytest.approx([0.002, 0.002, 0.003, 0.02, 0.1])
    program = ExecReadiness(str(tmp_path), str(tmp_path / "log"))
    assert [program.pause_s(0.0, elapsed_s) for elapsed_s in (0.0, 0.2)] == pytest.approx([0.01, 0.05])
