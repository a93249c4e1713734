"""Client of a session's control socket: ask for a service's state, and make it fail on demand.

The protocol is one JSON object per line each way (messages.py, answers.py; launcher/control_server.py answers).
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from realservices.contract.errors import RealServicesError
from realservices.control.answers import read_answer
from realservices.control.received_lines import receive_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Bazel's longest time-out for a test: the launcher itself says which service took longer than its own limit, and its
# message says more than a time-out here.
WAIT_TIMEOUT_S = 3600.0


class ControlError(RealServicesError):
    """The launcher refused a request, or a service did not do what was asked."""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What the launcher knows of a service.

    Attributes:
        state: ``starting``, ``ready``, ``stopped``, ``failed``, ``paused`` or ``waiting``.
        pid: Its process, 0 or None where it has none.
        ready_ms: How long its last start took, where it is known.
        port: Its first port.
        error: Why it failed, with its last log lines; "" if it has not.
        kind, label, needs, host, ports, health_url: As in its endpoint (contract/runtime.py).
        started_at: When it was first started, by the clock that all processes share (`time.monotonic`).
    """

    state: str
    pid: int | None
    ready_ms: float | None
    port: int
    error: str = ""
    kind: str = ""
    label: str = ""
    needs: Sequence[str] = ()
    host: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    health_url: str = ""
    started_at: float | None = None


class BlockingServiceControl:
    """Asks the launcher, and waits for each answer.

    Args:
        path: Path of the control socket.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def wait(self, *services: str, timeout_s: float = WAIT_TIMEOUT_S) -> None:
        """Wait until the named services (none named: all) are ready.

        Raises:
            ControlError: One failed, or it took longer than ``timeout_s``.
        """
        self._ask(timeout_s, op="wait", services=list(services) or None)

    def status(self, *, timeout_s: float = WAIT_TIMEOUT_S) -> dict[str, ServiceStatus]:
        """Return the state of every service by name.

        Raises:
            ControlError: The launcher has ended, or does not answer within ``timeout_s``.
        """
        answer = self._ask(timeout_s, op="status")["services"]
        return {name: _status(entry) for name, entry in answer.items()}

    def watch(self, states: Mapping[str, str]) -> dict[str, ServiceStatus]:
        """Wait until a service is in another state than in these, and return how all are then.

        Args:
            states: By name, as they are known so far.

        Raises:
            ControlError: The launcher ends, or has ended.
        """
        answer = self._ask(None, op="watch", states=dict(states))["services"]
        return {name: _status(entry) for name, entry in answer.items()}

    def logs(self, service: str, *, lines: int = 50) -> list[str]:
        """Return the last lines that a service wrote, oldest first."""
        found: list[str] = self._ask(op="logs", service=service, lines=lines)["lines"]
        return found

    def stop(self, service: str) -> None:
        """Stop a service in its own orderly way and wait until it has ended."""
        self._ask(op="stop", service=service)

    def kill(self, service: str) -> None:
        """Kill a service, as a crash would, and wait until it has ended."""
        self._ask(op="kill", service=service)

    def start(self, service: str) -> None:
        """Start a stopped service and wait until it is ready. Its address is the same as before."""
        self._ask(op="start", service=service)
        self.wait(service)

    def pause(self, service: str) -> None:
        """Make a service hang: its connections stay open and nothing is answered."""
        self._ask(op="pause", service=service)

    def resume(self, service: str) -> None:
        """Let a paused service go on."""
        self._ask(op="resume", service=service)

    def add(self, service: dict[str, Any], runfiles: str) -> dict[str, Any]:
        """Have a service started, unless it runs already, and wait until it is ready.

        A session of plain pytest has its services so, and pytest-xdist's workers those of their own.

        Args:
            service: An entry as in a manifest (contract/manifest.py).
            runfiles: The directory that its paths start from.

        Returns:
            Its endpoint, as in a runtime description.

        Raises:
            ControlError: It did not start.
        """
        endpoint: dict[str, Any] = self._ask(op="add", service=service, runfiles=runfiles)["endpoint"]
        return endpoint

    def recover(self) -> dict[str, ServiceStatus]:
        """Bring every service back that is stopped, paused or dead, and wait for it; return how those were."""
        unhealthy = {name: status for name, status in self.status().items() if status.state != "ready"}
        for name, status in unhealthy.items():
            if status.state == "paused":
                self.resume(name)
            elif status.state in ("stopped", "failed"):
                self._ask(op="start", service=name)
        if unhealthy:
            self.wait(*unhealthy)
        return unhealthy

    def _ask(self, timeout_s: float | None = WAIT_TIMEOUT_S, **request: Any) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(timeout_s)
                connection.connect(self._path)
                connection.sendall(json.dumps(request).encode() + b"\n")
                line = receive_line(connection, bytearray())
        except TimeoutError:
            raise ControlError(f"the launcher did not answer {_describe(request)} within {timeout_s:.0f} s") from None
        except OSError as error:
            raise ControlError(f"cannot ask the launcher at {self._path} for {_describe(request)}: {error}") from None
        except ValueError as error:
            raise ControlError(f"the launcher at {self._path} answers {_describe(request)} with {error}") from None
        if not line:
            raise ControlError(f"the launcher closed its control socket at {_describe(request)}: it is ending")
        try:
            answer = read_answer(line, request["op"])
        except ValueError as error:
            raise ControlError(f"what listens at {self._path} is not a launcher of this release: {error}") from None
        if not answer["ok"]:
            raise ControlError(answer["error"])
        return answer


def _status(entry: dict[str, Any]) -> ServiceStatus:
    # A launcher of another release may say less, or more.
    return ServiceStatus(**{each.name: entry[each.name] for each in fields(ServiceStatus) if each.name in entry})


def _describe(request: dict[str, Any]) -> str:
    service = request.get("service")
    name = service["name"] if isinstance(service, dict) else service
    services = name or ", ".join(request.get("services") or ()) or "all services"
    return f"{request['op']} of {services}"
