"""What the services of a group are for: the developer at the terminal, or one command."""

from __future__ import annotations

import os
import time

from realservices.contract import environment
from realservices.host.process import spawn
from realservices.launcher.group.place import GroupError, Place, load_description
from realservices.launcher.program import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.contract.manifest import Manifest
    from realservices.launcher.group.screen import Screen


class Hold(Program):
    """No program at all: the services serve until a signal ends the group."""

    def __init__(self, manifest: Manifest, runfiles: str, place: Place, screen: Screen) -> None:
        super().__init__(manifest, runfiles, [])
        self._label = manifest.label
        self._place = place
        self._screen = screen

    def start(self, env: dict[str, str]) -> None:
        """Tell that all services are ready."""
        self._place.announce(os.path.dirname(env[environment.RUNTIME]))
        self._screen.is_up = True
        self._screen.say(f"{self._label} is ready; Ctrl-C ends it")


class Command(Program):
    """A command of the developer's, where the developer stands, in the developer's environment and the services'.

    Args:
        words: Makes the command and what its environment has besides, from the runtime description.
    """

    def __init__(
        self, manifest: Manifest, runfiles: str, words: Callable[[dict[str, Any]], tuple[list[str], dict[str, str]]]
    ) -> None:
        super().__init__(manifest, runfiles, [])
        self._words = words
        # An interactive program has its own answer to Ctrl-C, and hears of it from the terminal.
        self.takes_interrupts = os.isatty(0)

    def start(self, env: dict[str, str]) -> None:
        """Start it in the terminal's foreground."""
        path = env[environment.RUNTIME]
        description = load_description(path)
        command, more = self._words(description)
        own = developers_environment(description) | {environment.RUNTIME: path} | more
        self.first_start = time.monotonic()
        self.pid = spawn(command, env=own, own_session=False, cwd=os.environ.get("BUILD_WORKING_DIRECTORY"))

    def ended(self, status: int, cpu_s: float, peak_bytes: int) -> None:
        """Take note of its end; its exit code says it all, as in a shell."""
        super().ended(status, cpu_s, peak_bytes)
        self.end = ""


def developers_environment(description: dict[str, Any]) -> dict[str, str]:
    """Return the whole environment of a command: the developer's, then the contract's."""
    # It names the group's runfiles, and would mislead a program that Bazel built.
    own = {name: value for name, value in os.environ.items() if name != "RUNFILES_DIR"}
    return own | environment.service_environment(description["services"])


def found_program(name: str) -> str:
    """Return the path of a program that is named as in a shell.

    Raises:
        GroupError: There is none.
    """
    directory = os.environ.get("BUILD_WORKING_DIRECTORY") or os.getcwd()
    if "/" in name:
        candidates = [os.path.join(directory, name)]
    else:
        candidates = [os.path.join(entry or ".", name) for entry in os.environ.get("PATH", "").split(os.pathsep)]
    for path in candidates:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    where = directory if "/" in name else "PATH"
    raise GroupError(f"no program {name!r} in {where}")
