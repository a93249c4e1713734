"""One service while the launcher runs it: its process, state, log and times."""

from __future__ import annotations

import os
import time

from realservices.contract.errors import ServiceError
from realservices.control.states import FAILED, READY, STARTING, WAITING
from realservices.launcher.service_log import ServiceLog
from realservices.system.listeners import foreign_owner
from realservices.system.os_errors import explain, is_lack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.errors import InfrastructureError
    from realservices.launcher.supervisor import Supervisor
    from realservices.services.base import Service


class Watcher:
    """Is told what happens to services while it happens; nobody is told anything by this one.

    Attributes:
        during: What goes on while services run, for messages.

    Args:
        during: See above; by default it is a test.
    """

    during = "while the test ran"

    def __init__(self, during: str = "") -> None:
        self.during = during or self.during

    def attach(self, supervisor: Supervisor) -> None:
        """Learn whose services these are."""

    def ready(self, supervised: Supervised) -> None:
        """Learn that a service serves."""

    def failed(self, supervised: Supervised) -> None:
        """Learn that a service failed; its error is set."""

    def wrote(self, supervised: Supervised, lines: list[str]) -> None:
        """Learn what a service wrote."""


class Supervised:
    """One service with its process.

    Attributes:
        state: One of the module's state names.
        final_state: Its state when the test was over, before the launcher ended it.
        first_start: When it was first started (monotonic), or None.
        first_ready: When it first served (monotonic), or None.
        ready_ms: Milliseconds from its last start until it served, or None.
        error: Why it failed.
        machine_error: What the machine did not give, if that is why.
        lost_ports: Those of its ports that a foreign process had when it failed, with words for who that is.
        blocker: The service whose failure kept this one from being started, or None.
        cpu_s: Processor time of its processes that have been reaped.
        peak_bytes: The most memory that one of them held, 0 where none has been reaped.
        is_preparing: Whether its process does not serve, but makes ready what it will run on.
        starts_again: Whether it is to be started when its process has ended.
        kill_at: When it is killed if it has not ended as it was asked to (monotonic), or None.
    """

    def __init__(self, service: Service, watcher: Watcher) -> None:
        self.service = service
        self._watcher = watcher
        self.name = service.spec.name
        self.state = WAITING
        self.final_state = ""
        self.pid = 0
        self.started_at = 0.0
        self.first_start: float | None = None
        self.first_ready: float | None = None
        self.ready_ms: float | None = None
        self.error: ServiceError | None = None
        self.machine_error: InfrastructureError | None = None
        self.lost_ports: dict[int, str] = {}
        self.blocker: Supervised | None = None
        self.cpu_s = 0.0
        self.peak_bytes = 0
        self.log = ServiceLog(service.endpoint["log"], lambda lines: watcher.wrote(self, lines))
        self.next_probe = 0.0
        self.probe_descriptor = -1
        self.kill_at: float | None = None
        self.is_preparing = False
        self.starts_again = False
        self.signalled: list[int] = []

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone, with those of its children that were killed with it."""
        return not self.pid and not any(os.path.exists(f"/proc/{pid}") for pid in self.signalled)

    @property
    def deadline(self) -> float | None:
        """When the supervisor has something to do about it without an event, or None."""
        return self.next_probe if self.state == STARTING else self.kill_at

    def begin(self) -> None:
        """Take note that it is being started."""
        self.state = STARTING
        self.error = self.machine_error = None
        self.lost_ports = {}
        self.kill_at = None
        self.started_at = time.monotonic()
        self.first_start = self.first_start or self.started_at
        self.next_probe = self.started_at + self.service.probe_pause_s(0.0)

    def succeed(self) -> None:
        """Take note that it serves."""
        self.state = READY
        now = time.monotonic()
        self.ready_ms = (now - self.started_at) * 1000
        self.first_ready = self.first_ready or now
        self._watcher.ready(self)

    def taken(self, asked_at: float) -> None:
        """Take note that somebody has asked for it who would else have started it then (monotonic)."""
        self.first_start = asked_at
        if self.state == READY:
            self.first_ready = time.monotonic()
            self.ready_ms = (self.first_ready - asked_at) * 1000

    def add_usage(self, cpu_s: float, peak_bytes: int) -> None:
        """Take note of what a process of it used, which has ended; a service may be started more than once."""
        self.cpu_s += cpu_s
        self.peak_bytes = max(self.peak_bytes, peak_bytes)

    def fail_to_start(self, error: OSError) -> None:
        """Record that its process could not be started, in words where it is for want of a resource."""
        if is_lack(error):
            machine = explain(error, f"service {self.name!r} ({self.service.spec.label}) could not be started")
            self.fail(str(explain(error, "could not be started")), machine=machine)
        else:
            self.fail(f"could not be started: {error}")

    def fail(self, cause: str, *, machine: InfrastructureError | None = None) -> None:
        """Record a failure.

        Args:
            cause: What happened.
            machine: What the machine did not give, if that is why.
        """
        self.state = FAILED
        self.machine_error = machine
        self.has_lost_ports()
        cause += "".join(f"; its port {port} is taken by {owner}" for port, owner in self.lost_ports.items())
        self.error = ServiceError(self.name, self.service.spec.label, cause, self.log.tail())
        self._watcher.failed(self)

    def has_lost_ports(self) -> bool:
        """Take note of foreign processes on its ports; return whether there are any."""
        ports = self.service.endpoint["ports"].values()
        self.lost_ports |= {port: owner for port in ports if (owner := foreign_owner(port))}
        return bool(self.lost_ports)
