"""A supervised session: services, and what every mode of the launcher has around them.

A test action, a group for development, and the services of a session outside of Bazel differ in where services come
from and in what ends them. How a session begins, and how nothing of it is left, is the same and is here.
"""

from __future__ import annotations

import os

from realservices.host.guardian import Guardian, start_guardian
from realservices.host.process import adopt_orphans, kill_descendants
from realservices.host.process_tags import tag_children
from realservices.launcher.control_server import ControlServer
from realservices.launcher.supervisor import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.host.guardian import Home
    from realservices.host.launcher_directories import LauncherDirectories
    from realservices.launcher.signals import SignalReader
    from realservices.launcher.supervised_service import Watcher


class SupervisedSession:
    """One session, from `begin` to `remove`.

    Attributes:
        supervisor: Has the services.
        directories: Those of its services; where there are several, the first ones.

    Args:
        directories: Of its services. The first of them name the session.
        watcher: Is told what happens to services.
    """

    def __init__(self, directories: list[LauncherDirectories], watcher: Watcher | None = None) -> None:
        self.directories = directories[0]
        self._all_directories = directories
        self._guardian: Guardian | None = None
        self._control: ControlServer | None = None
        self.supervisor = Supervisor([], _environment(self.directories), watcher)

    def begin(self, home: Home | None = None) -> None:
        """Make the directories, watched over by a guardian.

        Args:
            home: The directory that the session lives in with others.

        Raises:
            InfrastructureError: One cannot be made.
        """
        paths = [path for directories in self._all_directories for path in directories.paths]
        self._guardian = start_guardian(self.directories.name, paths, home)
        tag_children(self.directories.name)
        for directories in self._all_directories:
            directories.create()
            os.mkdir(directories.logs, 0o700)
        adopt_orphans()

    def listen(self, path: str, signals: SignalReader, **asked: Any) -> None:
        """Hear signals and requests as events of the supervisor.

        Args:
            path: The control socket's.
            signals: Tells of signals.
            asked: What can be asked for beyond services' states: see `ControlServer`.
        """
        self.supervisor.watch(signals.descriptor, signals.read)
        self._control = ControlServer(path, self.supervisor, **asked)

    def answer_waiting(self) -> None:
        """Answer the requests whose condition has come true."""
        if self._control:
            self._control.answer_waiting()

    def refuse_requests(self) -> None:
        """Take no more requests; who has asked hears of the session's end by the end of the connection."""
        if self._control:
            self._control.close()

    def hang_up(self) -> None:
        """Take no more requests, and end all connections."""
        if self._control:
            self._control.hang_up()

    def end_services(self, *, in_order: bool) -> None:
        """End all services, and every process that one of them has left.

        Args:
            in_order: Whether to ask those to end that have something to write then, and to wait for them.
        """
        self.supervisor.freeze()
        if in_order:
            self.supervisor.end_in_order()
        self.supervisor.kill_all()
        kill_descendants({self._guardian.pid} if self._guardian else set())

    def remove(self) -> list[str]:
        """Remove the directories; return what cannot be removed, in words."""
        return [words for directories in self._all_directories for words in directories.remove()]

    def dismiss_guardian(self) -> list[str]:
        """Let the guardian go, because nothing is left to clean up; return what is wrong with it, in words."""
        guardian, self._guardian = self._guardian, None
        warning = guardian.dismiss() if guardian else ""
        return [warning] if warning else []


def _environment(directories: LauncherDirectories) -> dict[str, str]:
    """Return the variables of services, which take nothing from those of the test."""
    own = {"HOME": directories.home, "TMPDIR": directories.temporary, "LC_ALL": "C", "TZ": "UTC"}
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin")} | own
