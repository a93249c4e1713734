"""One test action while it runs: services, program, signals, and the way back to an empty machine.

A pytest program is started together with the services, whose addresses are fixed beforehand: its own start-up hides
theirs, and its plugin waits for them before the first line of a test file runs. Any other program is started when all
services are ready. So no test has begun before that, and all can be undone and started again on other ports where a
foreign process has taken one between its lease and its use.
"""

from __future__ import annotations

import os
import select
import signal
import time

from realservices.contract.errors import InfrastructureError, ServiceError
from realservices.control.messages import SOCKET
from realservices.control.states import READY
from realservices.host.launcher_directories import LauncherDirectories
from realservices.host.slots import Slot, lease_ports
from realservices.launcher import bazel_test_files
from realservices.launcher.ending import Ending
from realservices.launcher.failures import LostPortsError, failures_in_words
from realservices.launcher.runtime_file import FILE, write_runtime_file
from realservices.launcher.signals import SignalReader
from realservices.launcher.supervised_session import SupervisedSession
from realservices.launcher.tested_program import program_environment
from realservices.launcher.timeline import Timeline
from realservices.services.service_classes import class_of
from realservices.system.bazel_files import tell_warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.contract.manifest import Manifest
    from realservices.host.foreground import Foreground
    from realservices.launcher.checkouts import Checkouts
    from realservices.launcher.session.making import ServiceMaker
    from realservices.launcher.supervised_service import Supervised, Watcher
    from realservices.launcher.supervisor import Supervisor
    from realservices.launcher.tested_program import Program
    from realservices.services.base import Service

# A port is lost once in a blue moon; a machine on which each start loses one has another trouble.
_MOST_STARTS = 3


class Action:
    """One test action.

    Args:
        manifest: What to run.
        runfiles: The directory that runfiles paths start from.
        program: What the services are for.
        watcher: Is told what happens to the services.
        fixed_ports: First ports of services by name; all other ports are leased.
    """

    def __init__(
        self,
        manifest: Manifest,
        runfiles: str,
        program: Program,
        *,
        watcher: Watcher | None = None,
        fixed_ports: dict[str, int] | None = None,
    ) -> None:
        self._manifest = manifest
        self._runfiles = runfiles
        self._begin = time.monotonic()
        self._program = program
        self._watcher = watcher
        self._fixed_ports = fixed_ports or {}
        self._ending = Ending(program)
        self._slot = Slot()
        self._session: SupervisedSession | None = None
        self._checkouts: Checkouts | None = None
        self._maker: ServiceMaker | None = None
        self._signals: SignalReader | None = None
        self._foreground: Foreground | None = None
        self._starts = 0
        self._lost_ports: list[int] = []
        # Whether all services have been ready, so that tests may have begun.
        self._has_begun = False

    def run(self) -> tuple[int, str]:
        """Run it to its end; nothing that it made is left afterwards.

        Returns:
            The exit code, and why the launcher fails the test ("" where the program's own exit code says it all).

        Raises:
            InfrastructureError: The machine could not give what the test needs.
            ManifestError: The manifest asks for what there is not.
        """
        reason = ""
        self._foreground = self._take_foreground()
        if self._foreground and self._foreground.is_ours:
            self._program.takes_interrupts = True  # The terminal tells it, and a debugger goes on.
        try:
            supervisor = self._run_to_its_end()
            reason = self._reason(supervisor)
        except ServiceError as error:
            reason = (failures_in_words(self._session.supervisor) if self._session else "") or str(error)
        finally:
            self._program.kill()
            self._clean_up()
            if self._foreground:
                self._foreground.give_back()
        code = self._program.exit_code if self._program.exit_code is not None else 1
        return (code or 1, reason) if reason else (code, "")

    @property
    def services(self) -> list[Supervised]:
        """The services with their final states."""
        return list(self._session.supervisor.services.values()) if self._session else []

    @property
    def timeline(self) -> Timeline:
        """What the services took."""
        return Timeline(self._manifest.label, self._begin, self.services, self._program)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the action began."""
        return time.monotonic() - self._begin

    # From nothing to a running program

    def _run_to_its_end(self) -> Supervisor:
        """Set up and run, anew where a port was lost before any test could begin."""
        while True:
            try:
                supervisor = self._set_up()
                while self._program.exit_code is None:
                    self._step(supervisor)
                return supervisor
            except LostPortsError as lost:
                tell_warnings(lost.warnings)
                self._lost_ports += lost.ports
                self._undo()

    def _set_up(self) -> Supervisor:
        self._starts += 1
        directories = LauncherDirectories()
        kinds = [class_of(spec, self._manifest.label, self._runfiles) for spec in self._manifest.services]
        ports = self._lease_ports(kinds)  # Before there is a guardian, which keeps them until all has ended.
        self._session = session = SupervisedSession([directories], self._watcher)
        session.begin()
        services = self._make_services(kinds, directories, ports)
        endpoints = {service.spec.name: service.endpoint for service in services}
        runtime_path, control_path = f"{directories.private}/{FILE}", f"{directories.private}/{SOCKET}"
        write_runtime_file(runtime_path, self._manifest, directories, control_path, endpoints)
        env = program_environment(self._manifest, self._runfiles, directories, (runtime_path, control_path), endpoints)
        supervisor = session.supervisor
        supervisor.take(services)
        self._checkouts = self._make_checkouts(directories, supervisor)
        self._signals = self._signals or SignalReader(self._ending.on_signal, self._on_exit)
        session.listen(control_path, self._signals, checkouts=self._checkouts, add=self._add)
        self._start(supervisor, env)
        return supervisor

    def _start(self, supervisor: Supervisor, env: dict[str, str]) -> None:
        """Start the services and the program, which waits for them where it does not know how to."""
        if self._manifest.test.runner == "pytest":
            self._program.start(env)
        supervisor.start_waiting()
        while not self._program.pid and not supervisor.is_ready() and self._ending.signal is None:
            self._step(supervisor)
        if not self._program.pid and self._program.exit_code is None and self._ending.signal is None:
            if self._checkouts:
                self._checkouts.start(env)
            self._program.start(env)

    def _take_foreground(self) -> Foreground | None:
        """Have the terminal of a `bazel run`, so that a debugger's prompt hears what is typed."""
        if self._manifest.test.runner == "services" or not os.environ.get("TEST_SRCDIR") or not os.isatty(0):
            return None
        from realservices.host.foreground import Foreground  # noqa: PLC0415 - no other test is to pay for it

        return Foreground()

    def _make_checkouts(self, directories: LauncherDirectories, supervisor: Supervisor) -> Checkouts | None:
        paths = self._manifest.test.checkout_paths
        if paths is None:
            return None
        from realservices.launcher.checkouts import Checkouts  # noqa: PLC0415 - few tests are to pay for it

        imported = [f"{self._runfiles}/{path}" for path in paths]
        return Checkouts(self._manifest.services, imported, f"{directories.private}/checkouts.log", supervisor)

    def _add(self, entry: dict[str, Any], runfiles: str) -> None:
        """Start one more service, which one of several test processes has for itself, unless it is there.

        Raises:
            RealServicesError, OSError: It cannot be made.
        """
        from realservices.launcher.session.making import ServiceMaker  # noqa: PLC0415 - for tests in several processes

        assert self._session
        if entry["name"] in self._session.supervisor.services:
            return
        self._maker = self._maker or ServiceMaker(self._session.supervisor, self._pause)
        self._maker.make({"service": entry, "runfiles": runfiles or self._runfiles}, self._session.directories)

    def _pause(self, pause_s: float) -> None:
        """Let time pass while others hold all ports, but not beyond the action's end.

        Raises:
            InfrastructureError: The action is to end.
        """
        assert self._signals
        if select.select([self._signals.descriptor], [], [], pause_s)[0]:
            self._signals.read()
        if self._ending.signal is not None:
            raise InfrastructureError("ports", "the test has ended while it waited for ports")

    def _lease_ports(self, kinds: list[type[Service]]) -> dict[str, list[int]]:
        counts = {spec.name: kind.ports_for(spec) for kind, spec in zip(kinds, self._manifest.services, strict=True)}
        self._slot, ports = lease_ports(counts, self._fixed_ports, avoided=self._lost_ports)
        return ports

    def _make_services(
        self, kinds: list[type[Service]], directories: LauncherDirectories, ports: dict[str, list[int]]
    ) -> list[Service]:
        services = [
            kind(spec, directories, self._runfiles, ports[spec.name])
            for kind, spec in zip(kinds, self._manifest.services, strict=True)
        ]
        endpoints = {service.spec.name: service.endpoint for service in services}
        for service in services:
            service.resolve(endpoints)
        return services

    # While it runs

    def _step(self, supervisor: Supervisor) -> None:
        supervisor.step(self._ending.timeout_s)
        self._has_begun = self._has_begun or all(each.state == READY for each in self.services)
        if not self._has_begun:
            self._look_for_lost_ports()  # Before anybody is told that a service has failed.
        if self._maker:
            self._maker.make_lost_anew()
        if self._session:
            self._session.answer_waiting()
        self._ending.look(has_failed=bool(supervisor.failures()))

    def _look_for_lost_ports(self) -> None:
        """Give up this start if ports were lost, unless it was the last one or the ports are the user's choice.

        Raises:
            LostPortsError: Ports were lost.
        """
        fixed = self._fixed_ports.values()
        losers = [each for each in self.services if each.error and each.lost_ports]
        if any(port in fixed for loser in losers for port in loser.lost_ports):
            return
        if losers and self._starts < _MOST_STARTS and self._ending.signal is None and self._program.exit_code is None:
            raise LostPortsError(losers)

    def _on_exit(self, pid: int, status: int, cpu_s: float, peak_bytes: int) -> None:
        if pid == self._program.pid:
            self._program.ended(status, cpu_s, peak_bytes)
        elif self._session:
            self._session.supervisor.on_exit(pid, status, cpu_s, peak_bytes)

    # The end

    def _reason(self, supervisor: Supervisor) -> str:
        """Say why the launcher fails the test, or return ""."""
        failures = failures_in_words(supervisor)
        reasons = [failures] if failures else []
        number = self._ending.signal
        if number is not None:
            timeout = os.environ.get("TEST_TIMEOUT", "")
            why = f"; the test's time-out is {timeout} s" if number == signal.SIGTERM and timeout else ""
            reasons.insert(0, f"ended by {signal.Signals(number).name} after {self.elapsed_s:.1f} s{why}")
        elif self._program.end:
            reasons.insert(0, f"the test program {self._program.end}")
        if self._checkouts and number is None and not failures:
            reasons += self._checkouts.findings()
        return "\n".join(reasons)

    def _clean_up(self) -> None:
        session = self._session
        if session:
            session.refuse_requests()
            # Who has sent a signal waits for the end, and will not wait long.
            session.end_services(in_order=self._ending.signal is None)
            tell_warnings([each.service.warning for each in self.services])
            if self._program.exit_code != 0 or session.supervisor.failures() or bazel_test_files.wants_logs():
                bazel_test_files.keep_logs([each.log.path for each in self.services])
                bazel_test_files.keep_text("services.json", self.timeline.as_json())
        self._let_go()

    def _undo(self) -> None:
        """Bring back the state before `_set_up`: nobody has asked anything of the services yet."""
        self._program.withdraw()
        if self._session:
            self._session.hang_up()
            self._session.end_services(in_order=False)
        self._let_go()
        self._ending.withdraw()
        self._session = None
        self._slot = Slot()

    def _let_go(self) -> None:
        if self._session:
            # A test may have mounted something there, or made files as another user: that is no failure of its own.
            tell_warnings(self._session.remove())
            tell_warnings(self._session.dismiss_guardian())
        if self._maker:
            self._maker.release_ports()
        self._slot.release()
