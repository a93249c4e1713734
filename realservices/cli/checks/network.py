"""Ports, loopback, abstract sockets.

Nothing here binds a port that a launcher might want: who holds what is read from the kernel's own lists (proc(5)).
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path

from realservices.cli.checks.finding import Finding, error, warning
from realservices.contract.errors import InfrastructureError
from realservices.host.blocks import BLOCK_SIZE, SOCKET_PREFIX
from realservices.host.slots import configured_range, ephemeral_range

_LISTENING = "0A"  # linux/include/net/tcp_states.h
_TIMEOUT_S = 2.0
_SHOWN_PORTS = 8
_FEW_BLOCKS_PER_CPU = 4
_RANGE = "REALSERVICES_PORT_RANGE=20000-29999 (bazel test --test_env=…)"


def check_loopback() -> Finding:
    """Connect to ourselves over 127.0.0.1, as every client of a service does."""
    identity = "loopback", "loopback"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            with socket.create_connection(listener.getsockname(), _TIMEOUT_S) as client:
                accepted, _ = listener.accept()
                with accepted:
                    accepted.sendall(b"x")
                    client.recv(1)
    except OSError as refused:
        return error(
            *identity, f"127.0.0.1 cannot be used: {refused.strerror or refused}",
            meaning="All services listen on 127.0.0.1 and nowhere else: no test reaches one.",
            remedy="sudo ip link set lo up (in the network namespace that the tests run in)",
        )  # fmt: skip
    return Finding(*identity, "127.0.0.1 listens, connects and transfers")


def check_ports() -> Finding:
    """Count the free blocks of ports."""
    identity = "ports", "ports"
    try:
        first, last = configured_range()
    except InfrastructureError as refused:
        return error(
            *identity, refused.reason,
            meaning="No test starts.", remedy=f"unset REALSERVICES_PORT_RANGE, or for instance: {_RANGE}",
        )  # fmt: skip
    bases = range(first - first % BLOCK_SIZE, last + 1, BLOCK_SIZE)
    held = _held_blocks() & set(bases)
    foreign = sorted(port for port in _listeners() if first <= port <= last and port - port % BLOCK_SIZE not in held)
    taken = {port - port % BLOCK_SIZE for port in foreign}
    free = len(bases) - len(held) - len(taken)
    found = f"{first}-{last}: {free} of {len(bases)} blocks of {BLOCK_SIZE} are free"
    found += f", {len(held)} held by launchers" if held else ""
    found += f", {len(taken)} with other listeners ({_shown(foreign)})" if taken else ""
    few = _FEW_BLOCKS_PER_CPU * (os.cpu_count() or 1)
    if free < few:
        make = error if free == 0 else warning
        return make(
            *identity, found,
            meaning=f"Each test action needs a block; {few} are comfortable here. Without a free one tests fail.",
            remedy=f"Choose a wider or less used range: {_RANGE}",
        )  # fmt: skip
    return _overlapping(found, first, last) or Finding(*identity, found)


def check_abstract_sockets() -> Finding:
    """Bind an abstract unix socket, by which launchers that do not see each other's files keep apart."""
    identity = "abstract_sockets", "abstract sockets"
    if sys.platform != "linux":
        return Finding(*identity, f"not needed on {sys.platform}")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(f"\0realservices-doctor-{secrets.token_hex(8)}")
    except OSError as refused:
        return error(
            *identity, f"refused: {refused.strerror or refused}",
            meaning="Launchers hold their ports by such sockets: every block looks taken, and no test starts.",
            remedy="Allow abstract unix sockets (AppArmor's and Landlock's rules can forbid them)",
        )  # fmt: skip
    return Finding(*identity, "can be bound")


def _overlapping(found: str, first: int, last: int) -> Finding | None:
    ephemeral_first, ephemeral_last = ephemeral_range()
    if first > ephemeral_last or last < ephemeral_first:
        return None
    return warning(
        "ports", "ports", f"{found}; outgoing connections use {ephemeral_first}-{ephemeral_last}, too",
        meaning="A connection of any program can take a port just before a service binds it: a rare failure to start.",
        remedy=f"Choose a range outside of that, or let the kernel leave it out: "
        f"sudo sysctl -w net.ipv4.ip_local_reserved_ports={first}-{last}",
    )  # fmt: skip


def _held_blocks() -> set[int]:
    """Return the first ports of the blocks that launchers hold, in this network namespace."""
    marks = [line.rpartition(f"@{SOCKET_PREFIX}")[2] for line in _lines("unix") if f"@{SOCKET_PREFIX}" in line]
    return {int(mark) for mark in marks if mark.isdecimal()}


def _listeners() -> set[int]:
    """Return the ports that are listened on (Linux; elsewhere they are found out when a slot is taken)."""
    fields = [line.split() for name in ("tcp", "tcp6") for line in _lines(name)]
    return {int(field[1].rpartition(":")[2], 16) for field in fields if field[3] == _LISTENING}


def _lines(name: str) -> list[str]:
    try:
        return Path("/proc/net", name).read_text("utf-8", errors="replace").splitlines()[1:]
    except OSError:
        return []


def _shown(ports: list[int]) -> str:
    shown = ", ".join(map(str, ports[:_SHOWN_PORTS]))
    return f"{shown} and {len(ports) - _SHOWN_PORTS} more" if len(ports) > _SHOWN_PORTS else shown
