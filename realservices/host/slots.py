"""Slots: blocks of ports that no two launchers of a machine hold at once.

A block is held by a file lock in the registry for as long as the launcher lives, and on Linux also by an abstract
unix socket. The kernel scopes abstract sockets exactly as it scopes TCP ports (to the network namespace), so two
launchers that see each other's ports but not each other's files (different containers, different users) still cannot
share a block. The kernel frees both when the holder is killed. Each port is probed by binding: a foreign process on
one of them means the next block.

The third-party `filelock` does the same locking, but importing it takes longer than a whole Redis start.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys

from realservices.contract.errors import InfrastructureError
from realservices.contract.registry import registry_directory
from realservices.contract.shapes import whole_number
from realservices.host.listeners import owner_of_port

BLOCK_SIZE = 16
# Followed by a block's first port: the abstract socket that says that it is held.
SOCKET_PREFIX = "realservices-ports-"
_LOWEST = 10000
_RANGE_VARIABLE = "REALSERVICES_PORT_RANGE"


class Slot:
    """Ports held until ``release`` or the death of the process.

    Attributes:
        ports: The ports that were asked for, free on 127.0.0.1 when the slot was taken.
    """

    def __init__(self) -> None:
        self.ports: list[int] = []
        self._blocks: list[_Block] = []

    def add(self, block: _Block, ports: list[int]) -> None:
        """Hold one more block, of which ``ports`` are used."""
        self._blocks.append(block)
        self.ports += ports

    def join(self, other: Slot) -> None:
        """Take over what another slot holds."""
        self._blocks += other._blocks
        self.ports += other.ports

    def release(self) -> None:
        """Give all blocks back."""
        for block in self._blocks:
            block.release()
        self._blocks = []


class _Block:
    """One block while it is held: its lock file and its abstract socket."""

    def __init__(self, path: str, lock: int, name: socket.socket | None) -> None:
        self._path = path
        self._lock = lock
        self._name = name

    def release(self) -> None:
        # Unlinked while still locked: whoever opened the old file sees a foreign inode and tries again.
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass
        os.close(self._lock)
        if self._name:
            self._name.close()


def acquire_slot(port_count: int, port_range: tuple[int, int] | None = None) -> Slot:
    """Take a slot with ``port_count`` ports.

    Args:
        port_count: How many ports the test's services need in all.
        port_range: First and last port to choose from; by default ``REALSERVICES_PORT_RANGE`` ("20000-29999"), else
            everything from 10000 to below the kernel's ephemeral range.

    Raises:
        InfrastructureError: Every block is held by another launcher or has a foreign process on it.
    """
    first, last = port_range or configured_range()
    directory = registry_directory() + "/slots"
    os.makedirs(directory, mode=0o700, exist_ok=True)
    # One grid for all ranges: launchers whose ranges differ must mean the same ports by the same block.
    bases = range(first - first % BLOCK_SIZE, last + 1, BLOCK_SIZE)
    count = len(bases)
    # Process ids are small and alike in every sandbox, so the walk starts at a random block.
    start = int.from_bytes(os.urandom(4), "little") % count
    slot, held, foreign = Slot(), 0, 0
    for step in range(count):
        if len(slot.ports) >= port_count:
            break
        base = bases[(start + step) % count]
        block = _hold(f"{directory}/{base}", base)
        if not block:
            held += 1
            continue
        ports = range(max(first, base), min(last + 1, base + BLOCK_SIZE))
        wanted = min(len(ports), port_count - len(slot.ports))
        free = [port for port in ports if _is_free(port)][:wanted]
        if len(free) < wanted:
            foreign += 1
            block.release()
            continue
        slot.add(block, free)
    if len(slot.ports) < port_count:
        slot.release()
        raise InfrastructureError(
            "ports",
            f"no free block of {BLOCK_SIZE} ports for {port_count} ports in {first}-{last}: of {count} blocks {held} "
            f"are held by other launchers and {foreign} have too many ports in use; "
            f"set {_RANGE_VARIABLE}=FIRST-LAST to a wider range (bazel test --test_env=…) or run fewer tests at once",
        )
    return slot


def hold_ports(ports: list[int], *, with_blocks: bool = True) -> Slot:
    """Take a slot with just these ports.

    Args:
        ports: The ports.
        with_blocks: Hold the blocks of those in the range that tests lease from, so that no test gets them while a
            service on them is restarted. Without, only a service that listens keeps others away.

    Raises:
        InfrastructureError: A process has one of them, or another launcher holds its block.
    """
    first, last = configured_range()
    directory = registry_directory() + "/slots"
    os.makedirs(directory, mode=0o700, exist_ok=True)
    for port in ports:
        if not _is_free(port):
            raise InfrastructureError(
                "ports", f"port {port} is taken by {owner_of_port(port)}; end it, or choose another port"
            )
    slot = Slot()
    for base in sorted({port - port % BLOCK_SIZE for port in ports if with_blocks and first <= port <= last}):
        block = _hold(f"{directory}/{base}", base)
        if not block:
            slot.release()
            raise InfrastructureError(
                "ports",
                f"ports {base}-{base + BLOCK_SIZE - 1} are held by a test that runs or by another group; try again, or "
                f"choose ports outside of {first}-{last}, where tests have theirs",
            )
        slot.add(block, [])
    slot.ports = list(ports)
    return slot


def lease_ports(counts: dict[str, int], fixed: dict[str, int]) -> tuple[Slot, dict[str, list[int]]]:
    """Take a slot with ports for services.

    Args:
        counts: How many ports each service needs, by name.
        fixed: First ports of some of them, by name.

    Returns:
        The slot, and each service's ports.

    Raises:
        InfrastructureError: As `hold_ports` and `acquire_slot`.
    """
    slot = hold_ports(list(fixed.values())) if fixed else Slot()
    try:
        leased = acquire_slot(sum(counts.values()) - len(fixed))
    except InfrastructureError:
        slot.release()
        raise
    rest = list(leased.ports)
    slot.join(leased)
    ports = {}
    for name, count in counts.items():
        own = [fixed[name]] if name in fixed else []
        missing = count - len(own)
        ports[name], rest = own + rest[:missing], rest[missing:]
    return slot, ports


def configured_range() -> tuple[int, int]:
    """Return the first and the last port that slots are taken from.

    Raises:
        InfrastructureError: ``REALSERVICES_PORT_RANGE`` is no range.
    """
    text = os.environ.get(_RANGE_VARIABLE, "")
    if text:
        first, last = map(whole_number, (text + "-").split("-")[:2])
        if text.count("-") != 1 or first is None or last is None or not 1024 <= first < last <= 65535:
            raise InfrastructureError(
                "ports", f"{_RANGE_VARIABLE}={text!r} is not a range of ports; write FIRST-LAST within 1024-65535"
            )
        return first, last
    ephemeral_first, ephemeral_last = ephemeral_range()
    if ephemeral_first - _LOWEST >= 1000:
        return _LOWEST, ephemeral_first - 1
    return ephemeral_last + 1, 65535


def ephemeral_range() -> tuple[int, int]:
    """Return the first and the last port that the kernel gives to outgoing connections."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            first, last = file.read().split()
        return int(first), int(last)
    except (OSError, ValueError):
        return 32768, 60999  # Linux's own default; macOS uses 49152-65535, which lies outside of 10000-32767 too.


def _hold(path: str, base: int) -> _Block | None:
    """Lock one block, or return None if somebody else holds it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The last holder may have unlinked the file between our open and our lock.
        if os.fstat(lock).st_ino != os.stat(path).st_ino:
            os.close(lock)
            return None
    except (BlockingIOError, FileNotFoundError):
        os.close(lock)
        return None
    name = None
    if sys.platform == "linux":
        name = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            name.bind(f"\0{SOCKET_PREFIX}{base}")
        except OSError:
            name.close()
            os.close(lock)
            return None
    return _Block(path, lock, name)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier holder in TIME_WAIT must not count, a listener must.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
