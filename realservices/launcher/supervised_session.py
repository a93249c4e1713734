"""A supervised session: services, and what every mode of the launcher has around them.

A test action, a group for development, and the services of a session outside of Bazel differ in where services come
from and in what ends them. How a session begins, and how nothing of it is left, is the same and is here.
"""

from __future__ import annotations

import os

from realservices.host.guardian import Guardian, start_guardian
from realservices.host.marks import mark_children
from realservices.host.process import adopt_orphans, kill_descendants
from realservices.launcher.control_server import ControlServer
from realservices.launcher.supervisor import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.host.guardian import Home
    from realservices.host.sandbox import Sandbox
    from realservices.launcher.signals import SignalReader
    from realservices.launcher.supervised import Watcher


class SupervisedSession:
    """One session, from `begin` to `remove`.

    Attributes:
        supervisor: Has the services.
        sandbox: The directories of its services; where there are several, the first ones.

    Args:
        sandboxes: All of them. The first one names the session.
        watcher: Is told what happens to services.
    """

    def __init__(self, sandboxes: list[Sandbox], watcher: Watcher | None = None) -> None:
        self.sandbox = sandboxes[0]
        self._sandboxes = sandboxes
        self._guardian: Guardian | None = None
        self._control: ControlServer | None = None
        self.supervisor = Supervisor([], _environment(self.sandbox), watcher)

    def begin(self, home: Home | None = None) -> None:
        """Make the directories, watched over by a guardian.

        Args:
            home: The directory that the session lives in with others.

        Raises:
            InfrastructureError: One cannot be made.
        """
        paths = [path for sandbox in self._sandboxes for path in sandbox.paths]
        self._guardian = start_guardian(self.sandbox.name, paths, home)
        mark_children(self.sandbox.name)
        for sandbox in self._sandboxes:
            sandbox.create()
            os.mkdir(sandbox.logs, 0o700)
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
        return [words for sandbox in self._sandboxes for words in sandbox.remove()]

    def dismiss_guardian(self) -> list[str]:
        """Let the guardian go, because nothing is left to clean up; return what is wrong with it, in words."""
        guardian, self._guardian = self._guardian, None
        warning = guardian.dismiss() if guardian else ""
        return [warning] if warning else []


def _environment(sandbox: Sandbox) -> dict[str, str]:
    """Return what services get: nothing of the test's own wishes."""
    own = {"HOME": sandbox.home, "TMPDIR": sandbox.temporary, "LC_ALL": "C", "TZ": "UTC"}
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin")} | own
