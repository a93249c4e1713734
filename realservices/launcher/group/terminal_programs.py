"""What the services of a group are for: the developer at the terminal, or one command."""

from __future__ import annotations

import os
import time

from realservices.contract import environment
from realservices.host.process import spawn
from realservices.launcher.group.commands import working_directory
from realservices.launcher.group.description import load_description
from realservices.launcher.group.reload import Reloader, is_under_ibazel
from realservices.launcher.tested_program import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.manifest import Manifest
    from realservices.control.run_record import RunRecord
    from realservices.launcher.group.commands import Words
    from realservices.launcher.group.watching import GroupWatcher


class Hold(Program):
    """No program at all: the services serve until a signal ends the group.

    Attributes:
        begins_anew: Whether it has ended only to begin anew.
    """

    def __init__(self, manifest: Manifest, runfiles: str, record: RunRecord, watcher: GroupWatcher) -> None:
        super().__init__(manifest, runfiles, [])
        self._label = manifest.label
        self._record = record
        self._watcher = watcher
        self.begins_anew = False
        # Made now: what is built from now on is a change.
        is_reloaded = is_under_ibazel()
        self._reloader = Reloader(manifest, runfiles, watcher.screen.say, self._begin_anew) if is_reloaded else None

    def start(self, env: dict[str, str]) -> None:
        """Tell that all services are ready."""
        self._record.tell(directory=os.path.dirname(env[environment.RUNTIME]), is_up=True)
        self._watcher.is_up = True
        self._watcher.screen.say(f"{self._label} is ready; Ctrl-C ends it")
        if self._reloader and self._watcher.supervisor:
            self._reloader.watch(self._watcher.supervisor)

    def _begin_anew(self) -> None:
        self.begins_anew = True
        self.exit_code = 0


class Command(Program):
    """A command of the developer's, where the developer stands, in the developer's environment and the services'."""

    def __init__(self, manifest: Manifest, runfiles: str, words: Words) -> None:
        super().__init__(manifest, runfiles, [])
        self._words = words
        # An interactive program has its own answer to Ctrl-C, and hears of it from the terminal.
        self.takes_interrupts = os.isatty(0)

    def start(self, env: dict[str, str]) -> None:
        """Start it in the terminal's foreground."""
        description = load_description(env[environment.RUNTIME])
        argv, whole = self._words(description)
        self.first_start = time.monotonic()
        self.pid = spawn(argv, env=whole, own_session=False, cwd=working_directory())

    def ended(self, status: int, cpu_s: float, peak_bytes: int) -> None:
        """Take note of its end; its exit code says it all, as in a shell."""
        super().ended(status, cpu_s, peak_bytes)
        self.end = ""
