"""Which ports services get where they are not leased: what they declare, else the first free ones of given ranges."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from realservices.control.client import BlockingServiceControl
from realservices.dev.errors import PortTakenError
from realservices.sources.errors import SettingError
from realservices.system.listeners import is_free, owner_of_port, refusal_of
from realservices.system.locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import ExitStack

    from realservices.sources.declarations import Declaration
    from realservices.sources.services import Services
    from realservices.sources.source import Declared


class FixedPorts:
    """Chooses ports, none twice.

    Args:
        ranges: Pairs of first and last port, in the order in which they are tried.
    """

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self._ranges = ranges
        self._chosen: dict[int, str] = {}

    def choose(self, declaration: Declaration) -> list[int]:
        """Return a port for each of a service's port names, or nothing: then ports are leased for it.

        Raises:
            SettingError: What it declares are no ports, or another service's.
            PortTakenError: Somebody else listens there, and no range has a free one.
        """
        declared = _declared(declaration)
        if not declared and not self._ranges:
            return []
        chosen = []
        for name in declaration.port_names:
            port = declared.get(name, 0)
            if port in self._chosen:
                raise SettingError(
                    f"{declaration.where}: fixed_ports has {name} = {port}, which {self._chosen[port]!r} has, too"
                )
            if not (port and is_free(port)):
                port = self._fallback(declaration, name, port)
            self._chosen[port] = declaration.name
            chosen.append(port)
        return chosen

    def _fallback(self, declaration: Declaration, name: str, wanted: int) -> int:
        free = (port for port in self._ports() if port not in self._chosen and is_free(port))
        port = next(free, 0)
        if port:
            return port
        ranges = ", ".join(f"{first}-{last}" for first, last in self._ranges)
        if wanted:
            none_free = f"; port_ranges ({ranges}) has no free one either" if ranges else ""
            raise PortTakenError(
                wanted,
                f"{declaration.where}: port {wanted} ({name}) {_obstacle(wanted)}{none_free}. End that process, "
                "declare another one in fixed_ports, give LauncherConfig port_ranges to fall back on, or use "
                "dynamic_ports=True",
            )
        raise PortTakenError(
            0,
            f"{declaration.where}: no port for {name!r}: port_ranges ({ranges or 'none'}) has no free one. Widen it, "
            f"declare fixed_ports = {{ {name} = PORT }}, or use dynamic_ports=True",
        )

    def _ports(self) -> Iterator[int]:
        for first, last in self._ranges:
            yield from range(first, last + 1)


def _declared(declaration: Declaration) -> dict[str, int]:
    ports: dict[str, int] = declaration.values.get("fixed_ports", {})
    names = declaration.port_names
    for name in ports:
        if name not in names:
            raise SettingError(
                f"{declaration.where}: fixed_ports names {name!r}, which is none of its ports: {', '.join(names)}"
            )
    return ports


def pin_ports(
    services: Services, wanted: Iterable[Declared], ranges: Sequence[tuple[int, int]], stack: ExitStack
) -> None:
    """Have services that this session starts itself started on ports of the project's choice.

    Args:
        services: The session's.
        wanted: Those that are going to be started. One that runs already keeps its ports.
        ranges: See `FixedPorts`.
        stack: Holds a lock until they have started: the session's other processes, which may want the same services,
            would find their ports taken.

    Raises:
        SettingError, PortTakenError: See `FixedPorts.choose`.
    """
    embedded = services.embedded
    assert embedded is not None
    stack.enter_context(FileLock(f"{services.private}/fixed_ports.lock"))
    running = BlockingServiceControl(services.control).status()
    ports = FixedPorts(ranges)
    declared = [found for each in wanted if (found := embedded.declaration(each.name)) and each.name not in running]
    # What is declared comes first: no range must give it to another service.
    for each in sorted(declared, key=lambda each: "fixed_ports" not in each.values):
        embedded.fix_ports(each.name, ports.choose(each))


def _obstacle(port: int) -> str:
    """Return in words why nobody can listen on a port now; "" if somebody can."""
    error = refusal_of(port)
    if error is None:
        return ""
    if error.errno == errno.EADDRINUSE:
        return f"is taken by {owner_of_port(port)}"
    return f"cannot be used: {error.strerror}"
