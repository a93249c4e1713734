"""The supervisor: starts services in dependency order, finds them ready, notices their death, stops them.

Everything happens in one thread and one poll loop. Log lines, deaths of children, control requests and signals are
its events. A probe is tried when a service's own log announces readiness; a timer is only the safety net for a server
whose log level hides the announcement.
"""

from __future__ import annotations

import os
import select
import signal
import time

from realservices.contract.errors import ServiceError
from realservices.host.process import EXIT_NO_NAMESPACE, descendants, describe_exit
from realservices.launcher.service_log import ServiceLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.services.base import Service

STARTING, READY, STOPPED, PAUSED, FAILED, WAITING = "starting", "ready", "stopped", "paused", "failed", "waiting"
READY_TIMEOUT_S = 60.0
_PROBE_PAUSE_S = 0.1
_END_TIMEOUT_S = 5.0


class Supervised:
    """One service with its process.

    Attributes:
        state: One of the module's state names.
        ready_ms: Milliseconds from its start until it served, or None.
        error: Why it failed.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.name = service.spec.name
        self.state = WAITING
        self.pid = 0
        self.started_at = 0.0
        self.ready_ms: float | None = None
        self.error: ServiceError | None = None
        self.log = ServiceLog(service.endpoint["log"])
        self.next_probe = 0.0
        self.signalled: list[int] = []

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone, with those of its children that were killed with it."""
        return not self.pid and not any(os.path.exists(f"/proc/{pid}") for pid in self.signalled)

    def fail(self, cause: str) -> None:
        """Record a failure with the last lines of the log."""
        self.state = FAILED
        self.error = ServiceError(self.name, self.service.spec.label, cause, self.log.tail())


class Supervisor:
    """All services of one test action.

    Args:
        services: In dependency order.
        env: Environment of the services.
    """

    def __init__(self, services: list[Service], env: dict[str, str]) -> None:
        self.services = {service.spec.name: Supervised(service) for service in services}
        self._env = env
        self._poll = select.poll()
        self._readers: dict[int, Callable[[], None]] = {}

    # Events

    def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        """Call ``on_readable`` in `step` whenever ``descriptor`` has something to read or its peer is gone."""
        self._readers[descriptor] = on_readable
        self._poll.register(descriptor, select.POLLIN)

    def unwatch(self, descriptor: int) -> None:
        """Stop watching a descriptor; harmless if it is not watched."""
        if self._readers.pop(descriptor, None):
            self._poll.unregister(descriptor)

    def step(self, timeout_s: float | None = None) -> None:
        """Wait for events, at most ``timeout_s`` seconds, and deal with them."""
        due = [s.next_probe for s in self.services.values() if s.state == STARTING]
        if due:
            until_probe = max(0.0, min(due) - time.monotonic())
            timeout_s = until_probe if timeout_s is None else min(timeout_s, until_probe)
        for descriptor, _ in self._poll.poll(None if timeout_s is None else int(timeout_s * 1000) + 1):
            reader = self._readers.get(descriptor)
            if reader:
                reader()
        now = time.monotonic()
        for supervised in self.services.values():
            if supervised.state == STARTING and now >= supervised.next_probe:
                self._probe(supervised, now)

    # Start

    def start_waiting(self) -> None:
        """Start every service whose needs are all ready."""
        for supervised in self.services.values():
            if supervised.state == WAITING and all(
                self.services[name].state == READY for name in supervised.service.spec.needs
            ):
                self.start(supervised.name)

    def start(self, name: str) -> None:
        """Start one service."""
        supervised = self.services[name]
        supervised.state = STARTING
        supervised.error = None
        supervised.started_at = time.monotonic()
        supervised.next_probe = supervised.started_at + _PROBE_PAUSE_S
        output = supervised.log.open()
        try:
            supervised.pid = supervised.service.start(self._env, output)
        except OSError as error:
            supervised.fail(f"could not be started: {error}")
        finally:
            os.close(output)
        self.watch(supervised.log.descriptor, lambda: self._on_log(supervised))

    def is_ready(self, names: list[str] | None = None) -> bool:
        """Say whether these services (all by default) are ready.

        Raises:
            ServiceError: One of them has failed.
        """
        chosen = [self.services[name] for name in names] if names is not None else list(self.services.values())
        for supervised in chosen:
            if supervised.error:
                raise supervised.error
            if supervised.state == STOPPED:
                raise ServiceError(supervised.name, supervised.service.spec.label, "was stopped", supervised.log.tail())
        return all(s.state == READY for s in chosen)

    # Ends

    def on_exit(self, pid: int, status: int) -> None:
        """Take note of a dead child, if it is one of the services."""
        for supervised in self.services.values():
            if supervised.pid == pid:
                self._exited(supervised, status)
                return

    def failures(self) -> list[ServiceError]:
        """Return what went wrong so far, in the order of declaration."""
        return [s.error for s in self.services.values() if s.error]

    def send_signal(self, name: str, number: int, state: str) -> None:
        """Send a signal that somebody asked for; the service's end is then no failure."""
        supervised = self.services[name]
        if supervised.state == PAUSED and number != signal.SIGCONT:
            self.send_signal(name, signal.SIGCONT, READY)  # A stopped process would not hear of anything else.
        supervised.state = state
        # A server must be paused with its workers, and must not leave workers on its data when it is killed. Every
        # other signal is the main process's to pass on.
        whole_tree = number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL)
        supervised.signalled = descendants(supervised.pid) if whole_tree else []
        for pid in [*supervised.signalled, supervised.pid]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def kill_all(self) -> None:
        """Kill every service and reap it. Their data is not wanted any more."""
        for supervised in self.services.values():
            if supervised.pid:
                if supervised.state == PAUSED:
                    self.send_signal(supervised.name, signal.SIGCONT, READY)
                os.kill(supervised.pid, supervised.service.end_signal)
            supervised.state = STOPPED
        deadline = time.monotonic() + _END_TIMEOUT_S
        for supervised in self.services.values():
            if supervised.pid:
                _reap(supervised.pid, deadline)
                supervised.pid = 0
            supervised.log.drain()
            supervised.log.close()
            supervised.service.close()

    def _exited(self, supervised: Supervised, status: int) -> None:
        pid, supervised.pid = supervised.pid, 0
        _kill_session(pid)
        supervised.log.drain()
        self.unwatch(supervised.log.descriptor)
        supervised.log.close()
        has_no_namespace = supervised.state == STARTING and os.waitstatus_to_exitcode(status) == EXIT_NO_NAMESPACE
        if has_no_namespace and supervised.service.degrade((supervised.log.tail() or [describe_exit(status)])[-1]):
            self.start(supervised.name)
            return
        after_s = time.monotonic() - supervised.started_at
        if supervised.state == STARTING:
            supervised.fail(f"{describe_exit(status)} after {after_s:.2f} s, before it was ready")
        elif supervised.state in (READY, PAUSED):
            supervised.fail(f"{describe_exit(status)} while the test ran, {after_s:.2f} s after its start")

    def _on_log(self, supervised: Supervised) -> None:
        lines = supervised.log.read()
        if lines is None:
            self.unwatch(supervised.log.descriptor)
            return
        if supervised.state == STARTING and any(map(supervised.service.is_ready_line, lines)):
            self._probe(supervised, time.monotonic())

    def _probe(self, supervised: Supervised, now: float) -> None:
        try:
            is_ready = supervised.service.probe()
        except OSError:
            is_ready = False
        if is_ready:
            supervised.state = READY
            supervised.ready_ms = (time.monotonic() - supervised.started_at) * 1000
            self.start_waiting()
        elif now - supervised.started_at > READY_TIMEOUT_S:
            supervised.fail(f"was not ready within {READY_TIMEOUT_S:.0f} s (port {supervised.service.port})")
        supervised.next_probe = now + _PROBE_PAUSE_S


def _reap(pid: int, deadline: float) -> None:
    """Wait for a process that has been told to end; kill its group at the deadline."""
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            _kill_session(pid)
            os.waitpid(pid, 0)
            return
        time.sleep(0.0005)  # Death by SIGKILL takes about a millisecond.
    _kill_session(pid)


def _kill_session(pid: int) -> None:
    """Kill a service's whole process group: it leads a session of its own."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
