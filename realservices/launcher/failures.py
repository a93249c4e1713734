"""What became of services that did not start or did not live, in words; and ports that were lost before a start."""

from __future__ import annotations

from realservices.launcher.graph import blocked_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.launcher.supervised_service import Supervised
    from realservices.launcher.supervisor import Supervisor


class LostPortsError(Exception):
    """Foreign processes have taken ports that were leased, before the services could listen there.

    Attributes:
        ports: Those ports.
        warnings: What to tell the user of them.

    Args:
        losers: The services that lost them.
    """

    def __init__(self, losers: list[Supervised]) -> None:
        super().__init__()
        self.ports = [port for loser in losers for port in loser.lost_ports]
        self.warnings = [
            f"service {loser.name!r} ({loser.service.spec.label}) lost port {port} to {owner} before it could listen "
            "there: all services were started again, on other ports"
            for loser in losers
            for port, owner in loser.lost_ports.items()
        ]


def failures_in_words(supervisor: Supervisor) -> str:
    """Say which services failed, each with those that were not started because of it, or return ""."""
    texts = []
    for error in supervisor.failures():
        blocked = blocked_by(supervisor.services, error.service)
        waiting = [f"{s.name} ({s.service.spec.label})" for s in blocked]
        texts.append(str(error) + (f"\n  not started because of it: {', '.join(waiting)}" if waiting else ""))
    return "\n".join(texts)
