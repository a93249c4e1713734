"""How a session's services are made, one by one as they are asked for, and anew on other ports if those are lost."""

from __future__ import annotations

import sys

from realservices.contract.errors import RealServicesError
from realservices.contract.manifest import ServiceSpec
from realservices.control.states import WAITING
from realservices.host.slots import Slot, acquire_slot, hold_ports
from realservices.services.service_classes import class_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.host.launcher_directories import LauncherDirectories
    from realservices.launcher.supervisor import Supervisor
    from realservices.services.base import Service

# How often a service is made that loses its ports before it is ready.
_MOST_STARTS = 3


class ServiceMaker:
    """Makes services, and holds their ports until `release_ports`.

    Args:
        supervisor: Gets them.
        pause: Lets time pass while others hold all ports; it raises where the session has ended meanwhile.
    """

    def __init__(self, supervisor: Supervisor, pause: Callable[[float], None]) -> None:
        self._supervisor = supervisor
        self._pause = pause
        self._slot = Slot()
        # How each service was made on leased ports, once for each time; for those that lose them.
        self._made: dict[str, list[tuple[dict[str, Any], LauncherDirectories]]] = {}

    def make(self, request: dict[str, Any], directories: LauncherDirectories) -> None:
        """Make a service, and have it started as soon as what it needs is ready.

        Args:
            request: Its entry of a manifest (``service``), and where paths in that start from (``runfiles``).
            directories: Where its files lie.

        Raises:
            RealServicesError, OSError: It cannot be made.
        """
        self._made.pop(request["service"]["name"], None)
        self._supervisor.add(self._new_service(request, directories))

    def make_lost_anew(self) -> None:
        """Have services whose ports foreign processes took before they were ever ready on other ports."""
        for name, supervised in [*self._supervisor.services.items()]:
            made = self._made.get(name, [])
            is_lost = supervised.error and supervised.lost_ports and supervised.first_ready is None
            if not is_lost or not 0 < len(made) < _MOST_STARTS:
                continue
            try:
                service = self._new_service(*made[0])
            except (RealServicesError, OSError):
                del self._made[name]
                continue  # Its error stands: who asks for it is told who took the port.
            for port, owner in supervised.lost_ports.items():
                words = f"realservices: service {name!r} lost port {port} to {owner}; it starts again on {service.port}"
                print(words, file=sys.stderr, flush=True)
            self._supervisor.replace(service)
            for waiting in [each for each in self._supervisor.services.values() if each.state == WAITING]:
                waiting.service.resolve(self._endpoints)  # Some have been given the old address.

    def release_ports(self) -> None:
        """Let others have the ports."""
        self._slot.release()

    def _new_service(self, request: dict[str, Any], directories: LauncherDirectories) -> Service:
        """Make a service: on leased ports or, other than in a manifest, on those in the entry's ``ports``."""
        entry = request["service"]
        spec = ServiceSpec(entry)
        kind = class_of(spec, spec.label, request["runfiles"])
        fixed = entry.get("ports")
        # Services are added one by one, and two of them may have fixed ports of one block.
        ports = hold_ports(fixed, with_blocks=False).ports if fixed else self._lease(kind.ports_for(spec))
        try:
            service = kind(spec, directories, request["runfiles"], ports)
            service.resolve(self._endpoints | {spec.name: service.endpoint})
        except BaseException:
            if not fixed:
                self._slot.use_no_more(ports)
            raise
        if not fixed:
            self._made.setdefault(spec.name, []).append((request, directories))
        return service

    @property
    def _endpoints(self) -> dict[str, dict[str, Any]]:
        return {name: supervised.service.endpoint for name, supervised in self._supervisor.services.items()}

    def _lease(self, count: int) -> list[int]:
        """Lease ports, of the blocks that the session has already if these have enough: it may be short of blocks."""
        ports = self._slot.use_more(count)
        if not ports and count:
            slot = acquire_slot(count, avoided=self._slot.all_ports, pause=self._pause)
            ports = list(slot.ports)
            self._slot.join(slot)
        return ports
