"""What the developer sees of a group while it runs."""

from __future__ import annotations

from realservices.control.screen import Screen
from realservices.launcher.supervised_service import Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.launcher.supervised_service import Supervised
    from realservices.launcher.supervisor import Supervisor


class GroupWatcher(Watcher):
    """Shows what happens to services on a screen.

    Attributes:
        screen: It is shown there.
        is_up: Whether all services have been ready.
        supervisor: Runs them, once there is one.

    Args:
        screen: See above.
        wants_logs: Whether to show what services write.
        announces: Whether to show a line for each service that is ready.
    """

    during = "while the group ran"

    def __init__(self, screen: Screen, *, wants_logs: bool = False, announces: bool = False) -> None:
        self.screen = screen
        self._wants_logs = wants_logs
        self._announces = announces
        self.is_up = False
        self.supervisor: Supervisor | None = None

    def attach(self, supervisor: Supervisor) -> None:
        """Learn whose services these are."""
        self.supervisor = supervisor

    def ready(self, supervised: Supervised) -> None:
        """Show where a service is."""
        if self._announces:
            self.screen.ready(supervised.name, supervised.service.endpoint["url"], supervised.ready_ms or 0.0)
        if supervised.service.warning:
            self.screen.complain(supervised.service.warning)

    def failed(self, supervised: Supervised) -> None:
        """Show a failure. One before all are ready ends the group, which then tells of it."""
        if self.is_up:
            self.screen.failed(supervised.name, str(supervised.error))

    def wrote(self, supervised: Supervised, lines: list[str]) -> None:
        """Show what a service wrote."""
        if self._wants_logs:
            self.screen.wrote(supervised.name, lines)
