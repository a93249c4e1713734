"""Which services wait for which: questions about the graph of needs. Bazel refuses cycles, so every walk ends."""

from __future__ import annotations

from realservices.control.states import FAILED, READY, STOPPED, WAITING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.launcher.supervised_service import Supervised


def can_start(services: dict[str, Supervised], supervised: Supervised) -> bool:
    """Return whether a service waits, and all that it needs is ready."""
    return supervised.state == WAITING and all(services[name].state == READY for name in supervised.service.spec.needs)


def blocker_of(services: dict[str, Supervised], supervised: Supervised) -> Supervised | None:
    """Return the service whose end keeps a waiting one from being started, or None."""
    if supervised.state != WAITING:
        return None
    for needed in (services[name] for name in supervised.service.spec.needs):
        blocker = needed if needed.state in (FAILED, STOPPED) else blocker_of(services, needed)
        if blocker:
            return blocker
    return None


def blocked_by(services: dict[str, Supervised], name: str) -> list[Supervised]:
    """Return the services that were not started because of the end of the named one."""
    found = []
    for supervised in services.values():
        blocker = blocker_of(services, supervised)
        if blocker and blocker.name == name:
            found.append(supervised)
    return found
