"""What a service prepares before its start runs beside: no other service waits for it, and it outlives nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from realservices.contract.manifest import ServiceSpec
from realservices.control.states import READY, STARTING
from realservices.host.launcher_directories import LauncherDirectories
from realservices.host.process import run_beside, spawn
from realservices.host.slots import lease_ports
from realservices.launcher.signals import SignalReader
from realservices.launcher.supervisor import Supervisor
from realservices.services.base import Service
from tests.launcher.family import children
from tests.launcher.launched import DEADLINE_S

_PROGRAM = "import sys, time; print('serving', flush=True); time.sleep(1000)"


class _Serving(Service):
    """Serves as soon as it says so."""

    says_so = False

    def start(self, env: dict[str, str], output: int) -> int:
        return spawn([sys.executable, "-I", "-S", "-c", _PROGRAM], env=env, output=output)

    def is_ready_line(self, line: str) -> bool:
        self.says_so = self.says_so or line == "serving"
        return self.says_so

    def probe(self) -> bool:
        return self.says_so


class _Prepared(_Serving):
    """Is prepared once, by reading from a pipe to its end."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.read_end, self.write_end = os.pipe()
        self.fails = False
        self.preparations = 0

    def preparation(self) -> Callable[[], None]:
        self.preparations += 1

        def read() -> None:
            os.close(self.write_end)
            os.read(self.read_end, 1)
            if self.fails:
                raise OSError("no room")

        return read


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[_Prepared, _Serving, Supervisor]]:
    """A service that is prepared, one that is not, and what supervises both."""
    monkeypatch.setenv("TEST_TMPDIR", str(tmp_path))
    directories = LauncherDirectories()
    directories.create()
    os.mkdir(directories.logs)
    slot, ports = lease_ports({"slow": 1, "quick": 1}, {})
    slow, quick = (
        kind(ServiceSpec(_entry(name)), directories, str(tmp_path), ports[name])
        for kind, name in ((_Prepared, "slow"), (_Serving, "quick"))
    )
    supervisor = Supervisor([slow, quick], dict(os.environ))
    signals = SignalReader(lambda _: None, supervisor.on_exit)
    supervisor.watch(signals.descriptor, signals.read)
    try:
        yield slow, quick, supervisor  # type: ignore[misc]
    finally:
        supervisor.kill_all()
        signals.close()
        directories.remove()
        slot.release()


def _entry(name: str) -> dict[str, object]:
    return {"name": name, "kind": "redis", "label": f"//app:{name}", "needs": [], "config": {}}


def _await(supervisor: Supervisor, name: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not supervisor.is_ready([name]):
        supervisor.step(0.1)
        assert time.monotonic() < deadline, f"{name} is {supervisor.services[name].state}"


def test_others_do_not_wait_and_it_starts_when_it_is_prepared(
    services: tuple[_Prepared, _Serving, Supervisor],
) -> None:
    slow, _, supervisor = services
    supervisor.start_waiting()
    _await(supervisor, "quick")
    preparing = supervisor.services["slow"]
    assert (preparing.state, preparing.is_preparing) == (STARTING, True)
    first = preparing.pid
    os.close(slow.write_end)
    _await(supervisor, "slow")
    assert (preparing.state, preparing.is_preparing) == (READY, False)
    assert preparing.pid != first
    assert slow.preparations == 1


def test_it_starts_all_the_same_when_the_preparation_fails(
    services: tuple[_Prepared, _Serving, Supervisor],
) -> None:
    slow, _, supervisor = services
    slow.fails = True
    supervisor.start_waiting()
    os.close(slow.write_end)
    _await(supervisor, "slow")
    assert slow.preparations == 1


def test_a_preparation_ends_with_its_service(services: tuple[_Prepared, _Serving, Supervisor]) -> None:
    _, _, supervisor = services
    supervisor.start_waiting()
    _await(supervisor, "quick")
    pid = supervisor.services["slow"].pid
    assert pid in children(os.getpid())
    supervisor.kill_all()
    assert pid not in children(os.getpid())


def test_work_beside_tells_by_its_exit_code_whether_it_was_done() -> None:
    def fail() -> None:
        raise OSError("not told")

    codes = []
    for work in (lambda: None, fail):
        _, status = os.waitpid(run_beside(work), 0)
        codes.append(os.waitstatus_to_exitcode(status))
    assert codes == [0, 1]
