"""The ports that a service has declared: which of them accept connections by now.

The supervisor has one thread, so nothing here may block: on loopback the kernel itself accepts or refuses a connection
at once. Only a full queue of a server that accepts nothing makes it wait, which the time-out bounds.
"""

from __future__ import annotations

import os
import socket

from realservices.system.listeners import stranger_on

_CONNECT_TIMEOUT_S = 0.02
OPEN = "open"


def connect(host: str, port: int) -> socket.socket:
    """Connect without waiting.

    Raises:
        OSError: Nothing listens there.
    """
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.settimeout(_CONNECT_TIMEOUT_S)
    try:
        connection.connect((host, port))
        # Within the range that the kernel chooses client ports from, a connection can meet itself.
        if connection.getsockname() == connection.getpeername():
            raise ConnectionRefusedError(111, "Connection refused")
    except OSError:
        connection.close()
        raise
    return connection


class PortStates:
    """What is known of a starting service's ports.

    Args:
        host: Where they are.
        ports: All of them by name.
    """

    def __init__(self, host: str, ports: dict[str, int]) -> None:
        self._host = host
        self._ports = ports
        self._states = dict.fromkeys(ports, "not tried")

    def reset(self) -> None:
        """Forget what was found: the service starts again."""
        self._states = dict.fromkeys(self._ports, "not tried")

    def note_answer(self, name: str) -> bool:
        """Take note that a port has answered; return whether it can have been the service's own."""
        self._states[name] = _state_of_open(self._ports[name])
        return self._states[name] == OPEN

    def are_open(self, names: list[str]) -> bool:
        """Try those of the named ports that were not found open before; say whether all are."""
        for name in names:
            if self._states[name] != OPEN:
                self._states[name] = self._try(self._ports[name])
        return all(self._states[name] == OPEN for name in names)

    def closed(self) -> list[str]:
        """Return the closed ports, each in words."""
        return [f"{name!r} ({self._host}:{self._ports[name]})" for name, state in self._states.items() if state != OPEN]

    def describe(self) -> str:
        """Say what each port is."""
        self.are_open(list(self._ports))
        states = [f"{name} {self._host}:{self._ports[name]} {state}" for name, state in self._states.items()]
        return ", ".join(states) or "it has none"

    def _try(self, port: int) -> str:
        try:
            connect(self._host, port).close()
        except OSError as error:
            return (os.strerror(error.errno) if error.errno else "timed out").lower()
        return _state_of_open(port)


def _state_of_open(port: int) -> str:
    """Return what a port is that accepts connections: no foreign server may be taken for the service."""
    stranger = stranger_on(port)
    return f"taken by {stranger}" if stranger else OPEN
