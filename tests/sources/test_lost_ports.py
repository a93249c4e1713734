"""Sessions whose ports foreign processes take before the services listen there, and sessions with few ports."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realservices.host.blocks import BLOCK_SIZE
from realservices.host.slots import acquire_slot
from realservices.sources.package import package_command
from realservices.system.session_directory import make_session_directory, new_session_path
from tests.host import places
from tests.launcher.control_client import ControlClient
from tests.launcher.executables import PORT, executable
from tests.launcher.foreign import DEADLINE_S, Foreign, Gate, own_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SERVER = Path(__file__).absolute().parents[1] / "launcher" / "server.py"
_OURS = ("-W", "error", "-p", "no:cacheprovider", "-p", "realservices.fixtures.plugin")


class Session:
    """A session without a pytest: its service process, and the means to ask it."""

    def __init__(self, directory: Path) -> None:
        self.directory = Path(new_session_path())
        self._runfiles = directory
        self._held = make_session_directory(str(self.directory))
        (directory / "server").write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S -B "{_SERVER}" "$@"\n', "utf-8")
        (directory / "server").chmod(0o755)

    def start(self) -> None:
        """Start the process; it has the environment of this one."""
        subprocess.run(package_command("serve", str(self.directory)), timeout=DEADLINE_S, check=True)

    def control(self) -> ControlClient:
        """Return a new connection."""
        return ControlClient(str(self.directory / "control.sock"), DEADLINE_S)

    def begin(self, control: ControlClient, entry: dict[str, Any]) -> None:
        """Ask for a service; the answer comes when it is ready."""
        control.tell("add", service=entry, runfiles=str(self._runfiles))

    @property
    def log(self) -> str:
        """What the process has said."""
        return (self.directory / "serve.log").read_text("utf-8")

    def end(self) -> None:
        """End the session, and wait until nothing is left."""
        control = self.control()
        while self._held:
            os.close(self._held.pop())
        with control:
            control.await_end()


@pytest.fixture
def session(alone: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Session]:
    """Return a session whose process has been started."""
    alone.setenv("REALSERVICES_REGISTRY", str(tmp_path / "registry"))
    found = Session(tmp_path)
    found.start()
    yield found
    found.end()


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        select.select([], [], [], 0.002)


def _given(path: Path) -> list[str]:
    """Wait for what `dump` writes; return the arguments, and forget them."""
    _await(path.exists)
    arguments: list[str] = json.loads(path.read_text("utf-8"))["arguments"]
    path.unlink()
    return arguments


def _gated(directory: Path, name: str = "app") -> dict[str, Any]:
    return executable(name, "dump", f"{directory}/given", "await", f"{directory}/go", "listen", PORT)


def test_a_plain_session_starts_its_redis_again_on_another_port(
    pytester: pytest.Pytester, alone: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytester.makepyfile("""
        import os
        async def test_it(isolated_redis):
            print("port", os.environ["REALSERVICES_REDIS_PORT"])
            assert await isolated_redis.ping()
    """)
    with Gate(tmp_path / "gate") as gate:
        gate.write_program(tmp_path / "redis-server", places.redis_server())
        alone.setenv("REALSERVICES_REDIS", str(tmp_path / "redis-server"))
        command = [sys.executable, "-m", "pytest", "-s", *_OURS]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
            lost = int(gate.await_start().split()[0].rpartition(".")[2])
            with Foreign(lost):
                gate.open()
                served = int(gate.await_start().split()[0].rpartition(".")[2])
                gate.open()
                output, _ = run.communicate(timeout=DEADLINE_S)
    assert run.returncode == 0, output
    assert served != lost
    assert f"port {served}\n" in output


def test_those_who_wait_are_told_the_last_address(session: Session, tmp_path: Path) -> None:
    front = executable(
        "front",
        "dump",
        f"{tmp_path}/front",
        "listen",
        PORT,
        env={"APP": [{"service": "app", "field": "url"}]},
        needs=("app",),
    )
    with session.control() as first, session.control() as second:
        session.begin(first, _gated(tmp_path))
        lost = int(_given(tmp_path / "given")[5])
        session.begin(second, front)
        with Foreign(lost):
            (tmp_path / "go").touch()
            app, front_endpoint = first.answer()["endpoint"], second.answer()["endpoint"]
        served = int(_given(tmp_path / "given")[5])
        assert (app["port"], app["url"]) == (served, f"http://127.0.0.1:{served}")
        assert served != lost
        given = json.loads((tmp_path / "front").read_text("utf-8"))
        assert given["environment"]["APP"] == app["url"]
        assert front_endpoint["ports"]
    assert f"service 'app' lost port {lost} to {own_words()}; it starts again on {served}\n" in session.log


def test_a_session_gives_up_with_the_name_of_the_process(session: Session, tmp_path: Path) -> None:
    with Gate(tmp_path / "gate") as gate, session.control() as control:
        gate.write_program(tmp_path / "gated", tmp_path / "server")
        session.begin(control, executable("app", program="gated"))
        with ExitStack() as stack:
            for _ in range(3):
                lost = int(gate.await_start().split()[-1])
                stack.enter_context(Foreign(lost))
                gate.open()
            answer = control.answer()
    assert not answer["ok"]
    assert f"before it was ready; its port {lost} is taken by {own_words()}\n" in answer["error"]


def test_a_session_needs_one_block_for_all_its_services(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone.setenv("REALSERVICES_REGISTRY", str(tmp_path / "registry"))
    slot = acquire_slot(1)
    slot.release()
    first = slot.ports[0] - slot.ports[0] % BLOCK_SIZE
    alone.setenv("REALSERVICES_PORT_RANGE", f"{first}-{first + BLOCK_SIZE - 1}")
    session = Session(tmp_path)
    session.start()
    with session.control() as control:
        ports = []
        for name in ("one", "two", "three"):
            session.begin(control, executable(name))
            ports.append(control.answer()["endpoint"]["port"])
    assert len(set(ports)) == 3
    assert {port // BLOCK_SIZE for port in ports} == {first // BLOCK_SIZE}
    session.end()


def test_a_session_that_ends_waits_for_no_ports(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone.setenv("REALSERVICES_REGISTRY", str(tmp_path / "registry"))
    slot = acquire_slot(1)
    first = slot.ports[0] - slot.ports[0] % BLOCK_SIZE
    alone.setenv("REALSERVICES_PORT_RANGE", f"{first}-{first + BLOCK_SIZE - 1}")
    session = Session(tmp_path)
    session.start()
    begin = time.monotonic()
    with session.control() as control:
        session.begin(control, executable("app"))
        _await(lambda: "realservices: waiting up to 60 s for 1 ports" in session.log)
        session.end()
        assert "the session has ended while it waited for ports" in control.answer()["error"]
    assert time.monotonic() - begin < 30  # Half of how long it may wait.
    slot.release()
