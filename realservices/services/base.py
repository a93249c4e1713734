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
    from typing import Any

    from realservices.contract.manifest import ServiceSpec
    from realservices.host.sandbox import Sandbox

HOST = "127.0.0.1"
# A probe talks to a server on this machine; one that takes longer than this is not serving yet.
_PROBE_TIMEOUT_S = 1.0
_MOST_NAME_BYTES = 40


class Service:
    """Base of all kinds.

    Attributes:
        spec: What the manifest says.
        endpoint: The entry of the runtime description: kind, label, host, port, url and what else the kind has.
        stop_signal: Ends it in an orderly way, data kept.
        end_signal: Ends it at once, for good; nothing may be left behind.
        warning: What the user should know about how it runs here (a slower fallback), or "".
    """

    port_count = 1
    stop_signal = int(signal.SIGTERM)
    end_signal = int(signal.SIGKILL)

    def __init__(self, spec: ServiceSpec, sandbox: Sandbox, runfiles: str, ports: list[int]) -> None:
        self.spec = spec
        self.port = ports[0]
        self.runfiles = runfiles
        # Names have any length, paths of unix sockets have 107 bytes; the port keeps shortened names apart.
        self.directory = f"{sandbox.private}/{spec.name[:_MOST_NAME_BYTES]}.{self.port}"
        os.mkdir(self.directory, 0o700)
        self.password = os.urandom(12).hex()
        self.warning = ""
        self.endpoint: dict[str, Any] = {
            "kind": spec.kind,
            "label": spec.label,
            "host": HOST,
            "port": self.port,
            "password": self.password,
            "log": f"{sandbox.logs}/{spec.name}.log",
        }

    def start(self, env: dict[str, str], output: int) -> int:
        """Start the server with ``output`` as its standard output and error; return its process id."""
        raise NotImplementedError

    def is_ready_line(self, line: str) -> bool:
        """Say whether a log line announces that a probe will succeed."""
        raise NotImplementedError

    def probe(self) -> bool:
        """Speak the service's own protocol with it; True once it serves.

        Raises:
            OSError: Not reachable yet.
        """
        raise NotImplementedError

    def degrade(self, reason: str) -> bool:
        """Choose a way to run that asks less of the machine than the one that failed; False if there is none left."""
        return False

    def close(self) -> None:
        """Let go of what the object holds after its process has ended."""


def connect_unix(path: str) -> socket.socket:
    """Connect to a unix socket for a probe.

    Raises:
        OSError: Nobody listens there.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_PROBE_TIMEOUT_S)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection
