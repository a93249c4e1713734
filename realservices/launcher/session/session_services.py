"""The services of one test session outside of Bazel: the launcher without a test program.

It begins without services, or with standby ones that were not asked for; requests on DIR/control.sock add them one by
one. It ends when nobody has the FIFO DIR/alive open for writing any more, because the session is over or its first
process was killed, or by SIGTERM.

Where services are kept warm, the session may come later than they do: they wait in the pool until one claims them
(pool_entry.py), or for too long.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time

from realservices.contract.errors import InfrastructureError, RealServicesError
from realservices.control.messages import SOCKET
from realservices.host.guardian import Home
from realservices.host.launcher_directories import LauncherDirectories
from realservices.launcher.session.making import ServiceMaker
from realservices.launcher.session.pool_entry import PoolEntry
from realservices.launcher.session.standby import Standby
from realservices.launcher.signals import SignalReader
from realservices.launcher.supervised_service import Watcher
from realservices.launcher.supervised_session import SupervisedSession
from realservices.system.locks import share_locked_directory
from realservices.system.removal import remove_tree
from realservices.system.session_directory import (
    ALIVE,
    make_session_directory,
    new_session_path,
)
from realservices.system.warm_pool import CLAIM, END

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_REMOVE_TIMEOUT_S, _REMOVE_PAUSE_S = 5.0, 0.01


class SessionServices:
    """The services of one session.

    Args:
        directory: The session's, with the FIFO in it. Empty: there is none yet, and one is made.
    """

    def __init__(self, directory: str = "") -> None:
        self.directory = directory or new_session_path()
        self._comes_first = not directory
        # What the session's first process holds, while there is none.
        self._held: list[int] = []
        # Named first, for the guardian. What is begun for nobody has directories of its own: it may be thrown away.
        self._directories = LauncherDirectories(self.directory)
        self._standby_directories = LauncherDirectories(self.directory) if self._comes_first else None
        directories = [self._directories, *([self._standby_directories] if self._standby_directories else [])]
        self._session = SupervisedSession(directories, Watcher("while the session ran"))
        self._supervisor = self._session.supervisor
        self._maker = ServiceMaker(self._supervisor, self._pause)
        self._standby = Standby(self._supervisor)
        self._entry: PoolEntry | None = None
        self._signals: SignalReader | None = None
        self._alive = self._lock = -1
        self._ends = False
        self._is_orphan = False
        self.is_told_to_end = False

    def run(self, on_started: Callable[[], None]) -> None:
        """Serve until the session's end; nothing that it made is left afterwards.

        Args:
            on_started: Called when the control socket listens.

        Raises:
            InfrastructureError: A directory cannot be made.
            OSError: The session's directory is not one.
        """
        try:
            self._set_up()
            on_started()
            while not self._ends:
                self._step()
        finally:
            self._clean_up()

    def run_standby(self, key: str, requests: list[dict[str, Any]], idle_s: float) -> bool:
        """Start services for a session that may come, and serve it.

        Args:
            key: Whose session it may be.
            requests: What to start, each service after those that it needs.
            idle_s: How long they wait for it.

        Returns:
            Whether it has come.

        Raises:
            RealServicesError, OSError: They cannot be started, or made an entry of the pool.
        """
        try:
            self._set_up()
            self._entry = PoolEntry(key, self._describe)
            self._supervisor.watch(self._entry.descriptor, self._on_request)
            for request in requests:
                self._begin_standby(request)
            deadline = time.monotonic() + idle_s
            while self._entry and not self._ends:
                self._step(max(0.0, deadline - time.monotonic()))
                self._standby.drop_broken()
                self._ends = self._ends or not self._standby.names or time.monotonic() >= deadline
            is_taken = not self._entry
            while not self._ends:
                self._step()
        finally:
            self._clean_up()
        return is_taken

    @property
    def kept(self) -> list[dict[str, Any]]:
        """What the next session may want: the requests for the services that this one has used."""
        return [] if self.is_told_to_end else self._standby.kept

    # Start

    def _set_up(self) -> None:
        if self._comes_first:
            self._held = make_session_directory(self.directory)
        self._lock = share_locked_directory(self.directory)
        self._session.begin(Home(self.directory, self._lock, self._held))
        self._alive = os.open(f"{self.directory}/{ALIVE}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._supervisor.watch(self._alive, self._look)
        self._signals = SignalReader(self._on_end_signal, self._supervisor.on_exit)
        self._session.listen(f"{self.directory}/{SOCKET}", self._signals, add=self._add, is_lazy=True)
        # A FIFO that had no writer when it was opened never reports one's end.
        self._look()

    def _step(self, timeout_s: float | None = None) -> None:
        self._supervisor.step(timeout_s)
        if not self._ends:
            self._maker.make_lost_anew()
        self._session.answer_waiting()

    def _look(self) -> None:
        try:
            self._is_orphan = self._ends = os.read(self._alive, 1) == b""
        except BlockingIOError:
            pass  # Somebody has it open.

    def _on_end_signal(self, number: int) -> None:
        self._ends = self.is_told_to_end = True

    # Services

    def _add(self, entry: dict[str, Any], runfiles: str) -> None:
        """Make a service and start it, as soon as what it needs is ready, unless there is one that serves.

        Raises:
            RealServicesError, OSError: It cannot be made.
        """
        request = {"service": entry, "runfiles": runfiles}
        if self._standby.is_taken(request):
            return
        self._maker.make(request, self._directories)

    def _begin_standby(self, request: dict[str, Any]) -> None:
        assert self._standby_directories
        self._standby.begin(request)
        try:
            self._maker.make(request, self._standby_directories)
        except (RealServicesError, OSError):
            self._standby.forget(request)  # Who wants it is told why it does not start.

    def _pause(self, pause_s: float) -> None:
        """Let time pass, but not beyond the session's end.

        Raises:
            InfrastructureError: The session has ended.
        """
        assert self._signals
        readable, _, _ = select.select([self._alive, self._signals.descriptor], [], [], pause_s)
        if self._signals.descriptor in readable:
            self._signals.read()
        if self._alive in readable:
            self._look()
        if self._ends:
            raise InfrastructureError("ports", "the session has ended while it waited for ports")

    # The pool

    def _on_request(self) -> None:
        assert self._entry
        descriptor = self._entry.descriptor
        outcome = self._entry.answer(self.directory, self._held)
        if outcome == CLAIM:
            self._supervisor.unwatch(descriptor)
            self._entry = None
            while self._held:  # From now on it is the session's end that ends them.
                os.close(self._held.pop())
            self._standby.check()
            self._look()
        elif outcome == END:
            self._ends = True

    def _describe(self) -> bytes:
        services = {name: {"state": each.state, "pid": each.pid} for name, each in self._supervisor.services.items()}
        return json.dumps({"pid": os.getpid(), "directory": self.directory, "services": services}).encode()

    # The end

    def _clean_up(self) -> None:
        entry, self._entry = self._entry, None
        if entry:
            self._supervisor.unwatch(entry.descriptor)
            entry.withdraw()
        self._session.end_services(in_order=not self.is_told_to_end)
        warnings = self._session.remove()
        if self._is_orphan or self._held:
            _remove(self.directory)
        for words in [*warnings, *self._session.dismiss_guardian()]:
            print(words, file=sys.stderr, flush=True)
        self._maker.release_ports()
        for descriptor in [*self._held, self._alive, self._lock]:
            if descriptor >= 0:
                os.close(descriptor)
        if self._signals:
            self._signals.close()
        if entry:
            entry.tell_end()
        # Who waits for the end of a connection has waited for all of this.
        self._session.hang_up()


def _remove(directory: str) -> None:
    """Remove the session's directory. Its later processes may not have ended yet, and may still make files in it."""
    deadline = time.monotonic() + _REMOVE_TIMEOUT_S
    while True:
        try:
            remove_tree(directory)
            return
        except OSError:
            if time.monotonic() > deadline:
                return  # The next session removes it.
        time.sleep(_REMOVE_PAUSE_S)
