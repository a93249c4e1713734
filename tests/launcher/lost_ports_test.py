"""Ports that foreign processes take between lease and use: all starts again on others, before any test has begun."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from realservices.host.blocks import BLOCK_SIZE
from tests.host import places
from tests.launcher.executables import PORT, TCP, Value, executable, http, port
from tests.launcher.foreign import Foreign, Gate, own_words
from tests.launcher.grouped import Group
from tests.launcher.launched import ANSWERS, DEADLINE_S, QUERY_AT_ONCE, Launched, postgres, redis

_SEES_ITS_PORT = """
import os
import socket

with open(os.environ["SEEN"], "a") as file:
    file.write(os.environ["REALSERVICES_CACHE_PORT"] + "\\n")

def test_it():
    socket.create_connection(("127.0.0.1", int(os.environ["REALSERVICES_CACHE_PORT"]))).close()
"""


def _given(path: Path) -> list[str]:
    """Wait for what `dump` writes; return the arguments, and forget them."""
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists() and time.monotonic() < deadline:
        select.select([], [], [], 0.002)
    arguments: list[str] = json.loads(path.read_text("utf-8"))["arguments"]
    path.unlink()
    return arguments


def _warning(service: str, lost: int) -> str:
    return (
        f"service '{service}' (//app:{service}) lost port {lost} to {own_words()} before it could listen there: all "
        "services were started again, on other ports\n"
    )


def _redis_port(start: str) -> int:
    """Return the port of a Redis from where it runs."""
    return int(start.split()[0].rpartition(".")[2])


def _gated_redis() -> dict[str, Any]:
    entry = redis()
    return entry | {"config": entry["config"] | {"server": "gated/redis-server"}}


@pytest.mark.parametrize(
    ("arguments", "ready"),
    [
        (("listen", PORT), TCP),
        (("http", PORT, "200", "ours"), http()),
        (("listen", PORT, "print", "it serves"), {"type": "log", "pattern": "it serves"}),
    ],
    ids=["port", "http", "log"],
)
def test_a_server_of_the_users_starts_again_on_another_port(
    tmp_path: Path, arguments: tuple[Value, ...], ready: dict[str, Any]
) -> None:
    # The foreign server answers what the launcher asks: it must not be taken for the service that is about to end.
    go, given = tmp_path / "go", tmp_path / "given"
    app = executable("app", "dump", str(given), "await", str(go), *arguments, ready=ready)
    with ExitStack() as stack, Launched(tmp_path / "run", [redis(), app]) as launched:
        lost = int(_given(given)[5])
        foreign = stack.enter_context(Foreign(lost))
        assert ready["type"] != "http" or foreign.asked.wait(DEADLINE_S)
        go.touch()
        served = launched.endpoints["app"]["port"]
        assert served == int(_given(given)[5])
        assert served // BLOCK_SIZE != lost // BLOCK_SIZE
        assert launched.program.environment["REALSERVICES_APP_PORT"] == str(served)
        assert launched.finish() == 0
        assert launched.output == ""
        assert launched.written("warnings") == _warning("app", lost)


def test_a_redis_starts_again_before_any_line_of_a_test_file_runs(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    with (
        Gate(tmp_path / "gate") as gate,
        Launched(tmp_path / "run", [_gated_redis()], pytest=_SEES_ITS_PORT, env={"SEEN": str(seen)}) as launched,
    ):
        gate.write_program(launched.runfiles / "gated/redis-server", places.redis_server())
        lost = _redis_port(gate.await_start())
        with Foreign(lost):
            gate.open()
            served = _redis_port(gate.await_start())
            gate.open()
            assert launched.wait() == 0, launched.output
        assert "1 passed" in launched.output
        assert "realservices:" not in launched.output
        assert seen.read_text("utf-8") == f"{served}\n"
        assert launched.written("warnings") == _warning("cache", lost)


def test_a_postgres_starts_again_with_all_others(tmp_path: Path, template: Path) -> None:
    entry = postgres()
    gated = entry | {"config": entry["config"] | {"distribution": "gated/pginstall"}}
    with (
        Gate(tmp_path / "gate") as gate,
        Launched(tmp_path / "run", [gated, redis()], template=template, script=QUERY_AT_ONCE) as launched,
    ):
        program = places.postgres_distribution() / "bin" / "postgres"
        gate.write_program(launched.runfiles / "gated/pginstall/bin/postgres", program)
        found = re.search(r"--port=(\d+)", gate.await_start())
        assert found
        with Foreign(int(found[1])):
            gate.open()
            gate.await_start()
            gate.open()
            assert launched.wait() == 0, launched.output
        assert launched.output == ANSWERS
        assert launched.written("warnings") == _warning("db", int(found[1]))


def test_an_error_names_who_takes_one_port_after_the_other(tmp_path: Path) -> None:
    with (
        ExitStack() as stack,
        Gate(tmp_path / "gate") as gate,
        Launched(tmp_path / "run", [_gated_redis()]) as launched,
    ):
        gate.write_program(launched.runfiles / "gated/redis-server", places.redis_server())
        lost = []
        for _ in range(3):
            lost.append(_redis_port(gate.await_start()))
            stack.enter_context(Foreign(lost[-1]))
            gate.open()
        assert launched.wait() == 1
        assert f"before it was ready; its port {lost[2]} is taken by {own_words()}\n" in launched.output
        assert "Failed listening on port" in launched.output
        assert len({number // BLOCK_SIZE for number in lost}) == 3
        assert launched.written("warnings") == _warning("cache", lost[0]) + _warning("cache", lost[1])


def test_a_service_that_stays_without_its_port_starts_again_when_its_time_is_up(tmp_path: Path) -> None:
    go, given = tmp_path / "go", tmp_path / "given"
    app = executable("app", "dump", str(given), "await", str(go), "ask", PORT, ready_timeout_s=3)
    with ExitStack() as stack, Launched(tmp_path / "run", [app]) as launched:
        lost = int(_given(given)[5])
        stack.enter_context(Foreign(lost))
        go.touch()
        assert launched.endpoints["app"]["port"] != lost
        assert launched.finish() == 0
        assert launched.written("warnings") == _warning("app", lost)


def test_nothing_starts_again_when_the_test_may_have_begun(tmp_path: Path) -> None:
    with ExitStack() as stack, Launched(tmp_path / "run", [redis()]) as launched:
        number = launched.endpoints["cache"]["port"]
        with launched.control() as control:
            server = control.ask("status")["services"]["cache"]["pid"]
        ended = os.pidfd_open(server)
        launched.signal(signal.SIGSTOP)  # So that it hears of the end when the port is taken already.
        os.kill(server, signal.SIGKILL)
        assert select.select([ended], [], [], DEADLINE_S)[0]
        os.close(ended)
        stack.enter_context(Foreign(number))
        launched.signal(signal.SIGCONT)
        launched.await_state("cache", "failed")
        assert launched.finish() == 1
        assert "was killed by SIGKILL while the test ran, " in launched.output
        assert f"; its port {number} is taken by {own_words()}" in launched.output
        assert launched.written("warnings") == ""


def test_a_port_that_the_services_own_process_has_is_not_lost(tmp_path: Path) -> None:
    # It ends, and leaves a child that listens.
    app = executable("app", "listen", PORT, "child", str(tmp_path / "child"), "exit", "3", ready=http())
    with Launched(tmp_path / "run", [app]) as launched:
        assert launched.wait() == 1
        assert "exited with code 3 after" in launched.output
        assert "is taken by" not in launched.output
        assert launched.written("warnings") == ""
    assert (tmp_path / "child").read_text("utf-8").count("\n") == 1


def test_a_port_of_the_users_choice_is_not_replaced(tmp_path: Path) -> None:
    go, given = tmp_path / "go", tmp_path / "given"
    first = executable("first", "dump", str(given), "await", str(go), "listen", PORT, "print", port("http", "app"))
    with Foreign(0) as free:
        number = free.server_address[1]
    with ExitStack() as stack:
        group = stack.enter_context(Group([first, executable("app", needs=("first",))], ports={"app": number}))
        run = stack.enter_context(group.start())
        assert _given(given)[-1] == str(number)
        stack.enter_context(Foreign(number))
        go.touch()
        code = run.wait()
        assert code == 1
        assert f"service 'app' (//app:app) was not started; its port {number} is taken by {own_words()}" in (
            run.output + run.complaints()
        )
