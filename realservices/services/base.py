"""What every kind of service gives the launcher.

A service object is made with its ports already leased, so its endpoint is known before it runs. The supervisor starts
it, shows it every log line, asks `probe` whether it serves, and stops it.
"""

from __future__ import annotations

import os
import signal
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.contract.manifest import ServiceSpec
    from realservices.host.launcher_directories import LauncherDirectories

HOST = "127.0.0.1"
# A probe talks to a server on this machine; one that takes longer than this is not serving yet.
_PROBE_TIMEOUT_S = 1.0
_PROBE_PAUSE_S = 0.1
# The longest name of a socket that a service has in its directory.
_LONGEST_SOCKET = ".s.PGSQL.65535"


class Service:
    """Base of all kinds.

    Attributes:
        spec: What the manifest says.
        endpoint: The entry of the runtime description: kind, label, host, port, url and what else the kind has.
        stop_signal: Ends it in an orderly way, data kept.
        grace_s: How long it may take over that before it is killed; None: as long as it likes.
        end_signal: Ends it at once, for good; nothing may be left behind.
        ends_in_order: Whether it must be asked to end at the end of the test action, too.
        ready_timeout_s: How long a start may take.
        is_slow_to_start: Whether it takes longer than other kinds, so that it had better begin before them.
        warning: What the user should know about how it runs here (a slower fallback), or "".
    """

    port_count = 1
    stop_signal = int(signal.SIGTERM)
    grace_s: float | None = None
    end_signal = int(signal.SIGKILL)
    ends_in_order = False
    ready_timeout_s = 60.0
    is_slow_to_start = False

    def __init__(self, spec: ServiceSpec, directories: LauncherDirectories, runfiles: str, ports: list[int]) -> None:
        self.spec = spec
        self.port = ports[0]
        self.runfiles = runfiles
        # Names have any length, paths of unix sockets have not; the port keeps shortened names apart.
        ending = f".{self.port}"
        name = directories.socket_name(spec.name, f"{ending}/{_LONGEST_SOCKET}")
        self.directory = f"{directories.private}/{name}{ending}"
        os.mkdir(self.directory, 0o700)
        self.password = os.urandom(12).hex()
        self.warning = ""
        self.endpoint: dict[str, Any] = {
            "kind": spec.kind,
            "label": spec.label,
            "host": HOST,
            "port": self.port,
            "password": self.password,
            "log": f"{directories.logs}/{spec.name}.log",
            "ports": {spec.kind: self.port},
            "needs": spec.needs,
            "websocket_url": "",
        }
        if spec.package:
            self.endpoint["package"] = spec.package

    @classmethod
    def ports_for(cls, spec: ServiceSpec) -> int:
        """Return how many ports to lease for a service."""
        return cls.port_count

    def resolve(self, endpoints: dict[str, dict[str, Any]]) -> None:
        """Take from the endpoints of all services, its own included, what this one wants to know before it starts.

        Services are resolved in dependency order, so the endpoints of those that this one needs are complete.

        Raises:
            ManifestError: It refers to what there is not.
        """

    def preparation(self) -> Callable[[], None] | None:
        """Return what takes long before a start and what a process beside can do, or None if there is nothing.

        Nothing depends on it: the start does itself what has not been done.
        """
        return None

    def start(self, env: dict[str, str], output: int) -> int:
        """Start the server with ``output`` as its standard output and error; return its process id."""
        raise NotImplementedError

    def is_ready_line(self, line: str) -> bool:
        """Return whether a log line announces that a probe will succeed."""
        raise NotImplementedError

    def probe(self) -> bool:
        """Speak the service's own protocol with it; True once it serves.

        Raises:
            OSError: Not reachable yet.
        """
        raise NotImplementedError

    def is_sound(self) -> bool:
        """Return whether a server that was found ready before still serves. It may take as long as a probe."""
        try:
            return self.probe()
        except OSError:
            return False

    def probe_pause_s(self, elapsed_s: float) -> float:
        """Return how long to wait after a probe that fails. The log announces readiness, so this is only the net.

        Args:
            elapsed_s: Time since the start.
        """
        return _PROBE_PAUSE_S

    @property
    def probe_descriptor(self) -> int:
        """What becomes readable when it is time to go on with a probe that has not finished, or -1."""
        return -1

    def child_exited(self, pid: int, status: int) -> bool:
        """Take note of a dead child that is not the server; say whether it was one of this service's."""
        return False

    def give_up_reason(self, elapsed_s: float) -> str:
        """Say why there is no use in probing again, or return "" to go on.

        Args:
            elapsed_s: Time since the start.
        """
        if elapsed_s <= self.ready_timeout_s:
            return ""
        return f"was not ready within {self.ready_timeout_s:.0f} s (port {self.port})"

    def stop_probing(self) -> None:
        """End a probe that is under way: the process has ended, or another start follows."""

    def fall_back(self, reason: str) -> bool:
        """Choose a way to run that asks less of the machine than the one that failed; False if there is none left."""
        return False

    def close(self) -> None:
        """Let go of what the object holds after its process has ended."""


def connect_unix(path: str) -> socket.socket:
    """Connect to a unix socket for a probe.

    Raises:
        OSError: Nothing listens there.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_PROBE_TIMEOUT_S)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection
