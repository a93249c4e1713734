"""Ports for tests that must name one."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Return a port on which nobody listens now, and which no launcher leases: the kernel gives it to outgoing connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
