"""Serve mode: the launcher without a test program, for a test session outside of Bazel.

`serve DIR` begins without services; requests on DIR/control.sock add them one by one. It ends when nobody has the FIFO
DIR/alive open for writing any more, because the session is over or its first process was killed, or by SIGTERM. It is
a daemon: the command returns when the control socket listens.
"""

from __future__ import annotations

import os
import sys
import time

from realservices.contract.errors import RealServicesError
from realservices.contract.manifest import ServiceSpec
from realservices.host.guardian import Guardian, start_guardian
from realservices.host.process import adopt_orphans, kill_descendants
from realservices.host.sandbox import Sandbox, remove_tree
from realservices.host.slots import Slot, acquire_slot, hold_ports
from realservices.launcher.control import ControlServer
from realservices.launcher.signals import SignalReader
from realservices.launcher.supervisor import Supervisor
from realservices.services.kinds import class_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


CONTROL = "control.sock"
_ALIVE = "alive"
_LOG = "serve.log"
# By which the guardian knows the services' processes.
_MARK = "REALSERVICES_SERVE"
_STARTED = b"started"
_MOST_TOLD = 65536
_REMOVE_TIMEOUT_S, _REMOVE_PAUSE_S = 5.0, 0.01


class Server:
    """The services of one session.

    Args:
        directory: The session's, with the FIFO in it.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._sandbox = Sandbox(f"{directory}/rs.{os.urandom(4).hex()}")
        self._slots: list[Slot] = []
        self._guardian: Guardian | None = None
        self._supervisor = Supervisor([], _environment(self._sandbox))
        self._control: ControlServer | None = None
        self._ends = False
        self._is_orphan = False

    def run(self, on_started: Callable[[], None]) -> None:
        """Serve until the session's end; nothing that it made is left afterwards.

        Args:
            on_started: Called when the control socket listens.

        Raises:
            InfrastructureError: A directory cannot be made.
            OSError: The session's directory is not one.
        """
        try:
            self._set_up()
            on_started()
            while not self._ends:
                self._supervisor.step()
                if self._control:
                    self._control.answer_waiting()
        finally:
            self._clean_up()

    def _set_up(self) -> None:
        alive = os.open(f"{self._directory}/{_ALIVE}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._guardian = start_guardian(f"{_MARK}={self._sandbox.private}", self._sandbox.paths)
        self._sandbox.create()
        os.mkdir(self._sandbox.logs, 0o700)
        adopt_orphans()
        signals = SignalReader(self._on_end_signal, self._supervisor.on_exit)
        self._supervisor.watch(signals.descriptor, signals.read)
        self._supervisor.watch(alive, lambda: self._look(alive))
        self._control = ControlServer(f"{self._directory}/{CONTROL}", self._supervisor, self._add)
        # A FIFO that had no writer when it was opened never reports one's end.
        self._look(alive)

    def _look(self, alive: int) -> None:
        try:
            self._is_orphan = self._ends = os.read(alive, 1) == b""
        except BlockingIOError:
            pass  # Somebody has it open.

    def _on_end_signal(self, number: int) -> None:
        self._ends = True

    def _add(self, entry: dict[str, Any], runfiles: str) -> None:
        """Make a service and start it, as soon as what it needs is ready.

        On leased ports, or, other than in a manifest, on those in the entry's ``ports``.

        Raises:
            RealServicesError, OSError: It cannot be made.
        """
        spec = ServiceSpec(entry)
        kind = class_of(spec.kind, spec.label)
        # Services are added one by one, and two of them may have ports of one block.
        ports = entry.get("ports")
        slot = hold_ports(ports, with_blocks=False) if ports else acquire_slot(kind.ports_for(spec))
        try:
            service = kind(spec, self._sandbox, runfiles, slot.ports)
            others = {name: supervised.service.endpoint for name, supervised in self._supervisor.services.items()}
            service.resolve(others | {spec.name: service.endpoint})
        except BaseException:
            slot.release()
            raise
        self._slots.append(slot)
        self._supervisor.add(service)

    def _clean_up(self) -> None:
        self._supervisor.settle()
        self._supervisor.kill_all()
        kill_descendants({self._guardian.pid} if self._guardian else set())
        self._sandbox.remove()
        if self._is_orphan:
            _remove(self._directory)
        if self._guardian:
            self._guardian.dismiss()
        for slot in self._slots:
            slot.release()
        # The control socket is closed by the end of this process: who waits for that has waited for all of this.


def _remove(directory: str) -> None:
    """Remove the session's directory. Its later processes may not have ended yet, and may still make files in it."""
    deadline = time.monotonic() + _REMOVE_TIMEOUT_S
    while True:
        try:
            remove_tree(directory)
            return
        except OSError:
            if time.monotonic() > deadline:
                return  # The next session removes it.
        time.sleep(_REMOVE_PAUSE_S)


def main(arguments: list[str]) -> int:
    """Start the daemon for the directory that is named; return an exit code when it has started, or could not."""
    if len(arguments) != 1:
        print("realservices: serve takes the session's directory", file=sys.stderr)
        return 64
    read_end, write_end = os.pipe()
    if os.fork():
        os.close(write_end)
        # Not to its end: the guardian has the other end open, too.
        told = os.read(read_end, _MOST_TOLD)
        if told == _STARTED:
            return 0
        print(f"realservices: {told.decode() or 'the service process ended at once'}", file=sys.stderr)
        return 1
    try:
        os.close(read_end)
        _detach(arguments[0])
        Server(arguments[0]).run(lambda: _tell(write_end, _STARTED))
    except (RealServicesError, OSError) as error:
        _tell(write_end, str(error).encode())
    return 0


def _detach(directory: str) -> None:
    """Leave the session's terminal and process group, whose signals are not meant for the services."""
    os.setsid()
    log = os.open(f"{directory}/{_LOG}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)


def _tell(pipe: int, words: bytes) -> None:
    try:
        os.write(pipe, words)
        os.close(pipe)
    except OSError:
        pass  # It has been told already, or whoever asked is gone.


def _environment(sandbox: Sandbox) -> dict[str, str]:
    """Return what services get: nothing of the session's own wishes, but the mark by which the guardian knows them."""
    own = {"HOME": sandbox.home, "TMPDIR": sandbox.temporary, _MARK: sandbox.private, "LC_ALL": "C", "TZ": "UTC"}
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin")} | own
