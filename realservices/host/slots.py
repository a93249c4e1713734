"""Slots: the ports of one launcher, in blocks that no two launchers of a machine hold at once (blocks.py).

Each port is probed by binding: a foreign process on one of them means the next block. Where other launchers hold all
blocks, a launcher waits for one, for a limited time. It holds nothing meanwhile: two that each held what the other
waits for would wait for ever.
"""

from __future__ import annotations

import os
import sys
import time

from realservices.contract.errors import InfrastructureError
from realservices.contract.shapes import whole_number
from realservices.contract.user_variables import PORT_RANGE
from realservices.host.blocks import BLOCK_SIZE, FOLDER, Block, hold_block
from realservices.system.listeners import is_free, owner_of_port
from realservices.system.registry_directory import registry_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_LOWEST = 10000
_REMEDY = f"set {PORT_RANGE}=FIRST-LAST to a wider range (bazel test --test_env=…) or run fewer tests at once"
# How long to wait for other launchers; less where the test would hit its own time-out.
_PATIENCE_S = 60.0
# A shorter wait is nothing to speak of.
_SILENCE_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _PAUSE_GROWTH = 0.005, 0.25, 1.5


class Slot:
    """Ports held until ``release`` or the death of the process.

    Attributes:
        ports: The ports that were asked for, free on 127.0.0.1 when the slot was taken.
    """

    def __init__(self) -> None:
        self.ports: list[int] = []
        self._blocks: list[Block] = []
        self._unused: list[int] = []

    def add(self, block: Block, ports: list[int], unused: Collection[int] = ()) -> None:
        """Hold one more block, of which ``ports`` are used, and ``unused`` are left for `use_more`."""
        self._blocks.append(block)
        self.ports += ports
        self._unused += unused

    def join(self, other: Slot) -> None:
        """Take over what another slot holds."""
        self._blocks += other._blocks
        self.ports += other.ports
        self._unused += other._unused

    @property
    def all_ports(self) -> list[int]:
        """Those that are used, and those that could be."""
        return [*self.ports, *self._unused]

    def use_more(self, count: int) -> list[int]:
        """Return ``count`` further ports of the blocks that are held already, or none if these have fewer."""
        free = [port for port in self._unused if is_free(port)]
        ports, self._unused = (free[:count], free[count:]) if len(free) >= count else ([], free)
        self.ports += ports
        return ports

    def use_no_more(self, ports: list[int]) -> None:
        """Leave ports to `use_more` again."""
        self.ports = [port for port in self.ports if port not in ports]
        self._unused += ports

    def release(self) -> None:
        """Give all blocks back."""
        for block in self._blocks:
            block.release()
        self._blocks = []


class _Walk:
    """One walk over all blocks of a range: what it took, and why not more.

    Attributes:
        slot: Has as many of the ports as there were.
        held: How many blocks other launchers hold.
        foreign: How many have too many ports in use.
        avoided: How many were left out.
        to_come: How many ports the held blocks may give one day.
    """

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        # One grid for all ranges: launchers whose ranges differ must mean the same ports by the same block.
        self._bases = range(first - first % BLOCK_SIZE, last + 1, BLOCK_SIZE)
        self._directory = f"{registry_directory()}/{FOLDER}"
        self.slot = Slot()
        self.held = self.foreign = self.avoided = self.to_come = 0

    def take(self, port_count: int, avoided: Collection[int]) -> None:
        """Take blocks until they have ``port_count`` ports, but none that one of the ports ``avoided`` is in."""
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        left_out = {port - port % BLOCK_SIZE for port in avoided}
        # Process ids are small and alike in every sandbox, so the walk starts at a random block.
        start = _random() % len(self._bases)
        for step in range(len(self._bases)):
            missing = port_count - len(self.slot.ports)
            if missing <= 0:
                return
            base = self._bases[(start + step) % len(self._bases)]
            if base in left_out:
                self.avoided += 1
            else:
                self._take_block(base, missing)

    def _take_block(self, base: int, missing: int) -> None:
        ports = range(max(self._first, base), min(self._last + 1, base + BLOCK_SIZE))
        block = hold_block(f"{self._directory}/{base}", base)
        if not block:
            self.held += 1
            self.to_come += len(ports)
            return
        wanted = min(len(ports), missing)
        free = [port for port in ports if is_free(port)]
        if len(free) < wanted:
            self.foreign += 1
            block.release()
            return
        self.slot.add(block, free[:wanted], free[wanted:])

    @property
    def outcome(self) -> str:
        """What became of the blocks, in words."""
        left_out = f"; {self.avoided} were used before and are left out" if self.avoided else ""
        return (
            f"of {len(self._bases)} blocks {self.held} are held by other launchers and "
            f"{self.foreign} have too many ports in use{left_out}"
        )


def acquire_slot(
    port_count: int,
    port_range: tuple[int, int] | None = None,
    *,
    avoided: Collection[int] = (),
    pause: Callable[[float], object] = time.sleep,
) -> Slot:
    """Take a slot with ``port_count`` ports; wait for them while other launchers have them.

    Args:
        port_count: How many ports the test's services need in all.
        port_range: First and last port to choose from; by default ``REALSERVICES_PORT_RANGE`` ("20000-29999"), else
            everything from 10000 to below the kernel's ephemeral range.
        avoided: Ports whose blocks are left out: lost to foreign processes, or held by the caller.
        pause: Lets some seconds pass.

    Raises:
        InfrastructureError: Every block is held by another launcher, for as long as there was time to wait, or has a
            foreign process on it.
    """
    first, last = port_range or configured_range()
    begin, patience_s, has_spoken = time.monotonic(), _patience_s(), False
    pause_s = _FIRST_PAUSE_S
    while True:
        walk = _Walk(first, last)
        walk.take(port_count, avoided)
        waited_s = time.monotonic() - begin
        if len(walk.slot.ports) >= port_count:
            return walk.slot
        can_come = len(walk.slot.ports) + walk.to_come >= port_count
        walk.slot.release()
        if not can_come or waited_s >= patience_s:
            waited = f", after {waited_s:.1f} s of waiting" if can_come else ""
            raise InfrastructureError(
                "ports",
                f"no free block of {BLOCK_SIZE} ports for {port_count} ports in {first}-{last}: "
                f"{walk.outcome}{waited}; {_REMEDY}",
            )
        if waited_s >= _SILENCE_S and not has_spoken:
            has_spoken = True
            print(
                f"realservices: waiting up to {patience_s:.0f} s for {port_count} ports in {first}-{last}: "
                f"{walk.outcome}; {_REMEDY}",
                file=sys.stderr,
                flush=True,
            )
        # By chance: those who wait must not all come back at the same moment.
        pause(min(pause_s * (0.5 + _random() / 2**32), max(0.0, begin + patience_s - time.monotonic())))
        pause_s = min(pause_s * _PAUSE_GROWTH, _LONGEST_PAUSE_S)


def _patience_s() -> float:
    timeout_s = whole_number(os.environ.get("TEST_TIMEOUT", ""))
    return _PATIENCE_S if timeout_s is None else min(_PATIENCE_S, timeout_s / 2)


def _random() -> int:
    """Return a number below 2**32. The module `random` takes longer to import than all of this takes."""
    return int.from_bytes(os.urandom(4), "little")


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
    directory = f"{registry_directory()}/{FOLDER}"
    os.makedirs(directory, mode=0o700, exist_ok=True)
    _refuse_taken(ports)
    slot = Slot()
    for base in sorted({port - port % BLOCK_SIZE for port in ports if with_blocks and first <= port <= last}):
        block = hold_block(f"{directory}/{base}", base)
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


def lease_ports(
    counts: dict[str, int], fixed: dict[str, int], avoided: Collection[int] = ()
) -> tuple[Slot, dict[str, list[int]]]:
    """Take a slot with ports for services.

    Args:
        counts: How many ports each service needs, by name.
        fixed: First ports of some of them, by name.
        avoided: As in `acquire_slot`.

    Returns:
        The slot, and each service's ports.

    Raises:
        InfrastructureError: As `hold_ports` and `acquire_slot`.
    """
    _refuse_taken(list(fixed.values()))  # Before there is anything to wait for.
    # Taken first, as they may have to be waited for.
    slot = acquire_slot(sum(counts.values()) - len(fixed), avoided=[*avoided, *fixed.values()])
    rest = list(slot.ports)
    if fixed:
        try:
            slot.join(hold_ports(list(fixed.values())))
        except InfrastructureError:
            slot.release()
            raise
    ports = {}
    for name, count in counts.items():
        own = [fixed[name]] if name in fixed else []
        missing = count - len(own)
        ports[name], rest = own + rest[:missing], rest[missing:]
    return slot, ports


def _refuse_taken(ports: list[int]) -> None:
    for port in ports:
        if not is_free(port):
            raise InfrastructureError(
                "ports", f"port {port} is taken by {owner_of_port(port)}; end it, or choose another port"
            )


def configured_range() -> tuple[int, int]:
    """Return the first and the last port that slots are taken from.

    Raises:
        InfrastructureError: ``REALSERVICES_PORT_RANGE`` is no range.
    """
    text = os.environ.get(PORT_RANGE, "")
    if text:
        first, last = map(whole_number, (text + "-").split("-")[:2])
        if text.count("-") != 1 or first is None or last is None or not 1024 <= first < last <= 65535:
            raise InfrastructureError(
                "ports", f"{PORT_RANGE}={text!r} is not a range of ports; write FIRST-LAST within 1024-65535"
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
