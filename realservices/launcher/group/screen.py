"""What the developer sees of a group: a line per service, their logs if asked for, failures."""

from __future__ import annotations

import os
import sys

from realservices.contract.terminal_text import as_output
from realservices.launcher.supervised import Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.launcher.supervised import Supervised
    from realservices.launcher.supervisor import Supervisor

_FIRST_COLOUR = 31
_COLOURS = 6


class Screen(Watcher):
    """Writes to the terminal.

    Attributes:
        is_up: Whether all services have been ready.
        supervisor: Runs them, once there is one.

    Args:
        names: All services', in order.
        wants_logs: Whether to show what services write.
        announces: Whether to show a line for each service that is ready.
    """

    during = "while the group ran"

    def __init__(self, names: list[str], *, wants_logs: bool, announces: bool) -> None:
        self._names = names
        self._width = max(map(len, names), default=0)
        self._wants_logs = wants_logs
        self._announces = announces
        # https://no-color.org: set and not empty, whatever the value.
        self._has_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.is_up = False
        self.supervisor: Supervisor | None = None

    def attach(self, supervisor: Supervisor) -> None:
        """Learn whose services these are."""
        self.supervisor = supervisor

    def say(self, text: str) -> None:
        """Write a line that is no service's."""
        print(as_output(text), flush=True)

    def ready(self, supervised: Supervised) -> None:
        """Show where a service is. Its password is in the URL: this is the developer's own terminal."""
        if self._announces:
            endpoint = supervised.service.endpoint
            where = endpoint["url"] or "(no port)"
            self._line(supervised.name, f"{where}  ready in {supervised.ready_ms:.0f} ms")
        if supervised.service.warning:
            print(as_output(f"realservices: {supervised.service.warning}"), file=sys.stderr, flush=True)

    def failed(self, supervised: Supervised) -> None:
        """Show a failure. One before all are ready ends the group, which then tells of it."""
        if self.is_up:
            print(as_output(f"realservices: {supervised.error}"), file=sys.stderr, flush=True)

    def wrote(self, supervised: Supervised, lines: list[str]) -> None:
        """Show what a service wrote."""
        if self._wants_logs:
            for line in lines:
                self._line(supervised.name, "| " + line)

    def _line(self, name: str, text: str) -> None:
        shown = f"{name:<{self._width}}"
        if self._has_colour:
            shown = f"\x1b[{_FIRST_COLOUR + self._names.index(name) % _COLOURS}m{shown}\x1b[0m"
        # A command's standard output is its own.
        print(f"{shown}  {as_output(text)}", file=sys.stdout if self._announces else sys.stderr, flush=True)
