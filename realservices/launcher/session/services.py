"""The services of one test session outside of Bazel: the launcher without a test program.

It begins without services, or with spare ones that nobody has asked for yet; requests on DIR/control.sock add them one
by one. It ends when nobody has the FIFO DIR/alive open for writing any more, because the session is over or its first
process was killed, or by SIGTERM.

Where services are kept warm, the session may come later than they do: they are offered until one takes them over
(offer.py), or until they have waited too long.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time

from realservices.contract.errors import InfrastructureError, RealServicesError
from realservices.contract.locked_directory import share_locked_directory
from realservices.contract.manifest import ServiceSpec
from realservices.contract.offers import END, TAKE
from realservices.contract.removal import remove_tree
from realservices.contract.session_directory import (
    ALIVE,
    CONTROL,
    SESSION_BASE,
    make_session_directory,
    new_session_path,
)
from realservices.host.guardian import Guardian, Home, start_guardian
from realservices.host.marks import mark_children
from realservices.host.process import adopt_orphans, kill_descendants
from realservices.host.sandbox import Sandbox
from realservices.host.slots import Slot, acquire_slot, hold_ports
from realservices.launcher.control import ControlServer
from realservices.launcher.session.offer import Offer
from realservices.launcher.session.spares import Spares
from realservices.launcher.signals import SignalReader
from realservices.launcher.supervised import WAITING, Watcher
from realservices.launcher.supervisor import Supervisor
from realservices.services.kinds import class_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.services.base import Service

# How often a service is made that loses its ports before it is ready.
_MOST_STARTS = 3
_REMOVE_TIMEOUT_S, _REMOVE_PAUSE_S = 5.0, 0.01


class SessionServices:
    """The services of one session.

    Args:
        directory: The session's, with the FIFO in it. Empty: there is none yet, and one is made.
        base: Where it is made.
    """

    def __init__(self, directory: str = "", *, base: str = SESSION_BASE) -> None:
        self.directory = directory or new_session_path(base)
        self._comes_first = not directory
        # What the session's first process holds, while there is none.
        self._held: list[int] = []
        # Named first, for the guardian. What is begun for nobody has directories of its own: it may be thrown away.
        self._sandbox = Sandbox(self.directory)
        self._spares_sandbox = Sandbox(self.directory) if self._comes_first else None
        self._slot = Slot()
        # How each service was made on leased ports, once for each time; for those that lose them.
        self._made: dict[str, list[tuple[dict[str, Any], Sandbox]]] = {}
        self._guardian: Guardian | None = None
        self._supervisor = Supervisor([], _environment(self._sandbox), Watcher("while the session ran"))
        self._spares = Spares(self._supervisor)
        self._control: ControlServer | None = None
        self._offer: Offer | None = None
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

    def run_spares(self, key: str, most: int, requests: list[dict[str, Any]], idle_s: float) -> bool:
        """Start services for a session that may come, and serve it.

        Args:
            key: Whose session it may be.
            most: How many offers there may be for it.
            requests: What to start, each service after those that it needs.
            idle_s: How long they wait for it.

        Returns:
            Whether it has come.

        Raises:
            RealServicesError, OSError: They cannot be started or offered.
        """
        try:
            self._set_up()
            self._offer = Offer(key, most, self._describe)
            self._supervisor.watch(self._offer.descriptor, self._on_request)
            for request in requests:
                self._begin_spare(request)
            deadline = time.monotonic() + idle_s
            while self._offer and not self._ends:
                self._step(max(0.0, deadline - time.monotonic()))
                self._spares.drop_broken()
                self._ends = self._ends or not self._spares.names or time.monotonic() >= deadline
            is_taken = not self._offer
            while not self._ends:
                self._step()
        finally:
            self._clean_up()
        return is_taken

    @property
    def kept(self) -> list[dict[str, Any]]:
        """What the next session may want: the requests for the services that this one has used."""
        return [] if self.is_told_to_end else self._spares.kept

    # Start

    def _set_up(self) -> None:
        sandboxes = [self._sandbox, *([self._spares_sandbox] if self._spares_sandbox else [])]
        if self._comes_first:
            self._held = make_session_directory(self.directory)
        self._lock = share_locked_directory(self.directory)
        self._guardian = start_guardian(
            self._sandbox.name,
            [path for sandbox in sandboxes for path in sandbox.paths],
            Home(self.directory, self._lock, self._held),
        )
        mark_children(self._sandbox.name)
        self._alive = os.open(f"{self.directory}/{ALIVE}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        for sandbox in sandboxes:
            sandbox.create()
            os.mkdir(sandbox.logs, 0o700)
        adopt_orphans()
        self._signals = SignalReader(self._on_end_signal, self._supervisor.on_exit)
        self._supervisor.watch(self._signals.descriptor, self._signals.read)
        self._supervisor.watch(self._alive, self._look)
        self._control = ControlServer(f"{self.directory}/{CONTROL}", self._supervisor, self._add)
        # A FIFO that had no writer when it was opened never reports one's end.
        self._look()

    def _step(self, timeout_s: float | None = None) -> None:
        self._supervisor.step(timeout_s)
        self._make_lost_anew()
        if self._control:
            self._control.answer_waiting()

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
        if self._spares.is_taken(request):
            return
        self._make(request, self._sandbox)

    def _begin_spare(self, request: dict[str, Any]) -> None:
        assert self._spares_sandbox
        self._spares.begin(request)
        try:
            self._make(request, self._spares_sandbox)
        except (RealServicesError, OSError):
            self._spares.forget(request)  # Who wants it is told why it does not start.

    def _make(self, request: dict[str, Any], sandbox: Sandbox) -> None:
        self._made.pop(request["service"]["name"], None)
        self._supervisor.add(self._new_service(request, sandbox))

    def _new_service(self, request: dict[str, Any], sandbox: Sandbox) -> Service:
        """Make a service: on leased ports or, other than in a manifest, on those in the entry's ``ports``."""
        entry = request["service"]
        spec = ServiceSpec(entry)
        kind = class_of(spec.kind, spec.label)
        fixed = entry.get("ports")
        # Services are added one by one, and two of them may have fixed ports of one block.
        ports = hold_ports(fixed, with_blocks=False).ports if fixed else self._lease(kind.ports_for(spec))
        try:
            service = kind(spec, sandbox, request["runfiles"], ports)
            service.resolve(self._endpoints | {spec.name: service.endpoint})
        except BaseException:
            if not fixed:
                self._slot.use_no_more(ports)
            raise
        if not fixed:
            self._made.setdefault(spec.name, []).append((request, sandbox))
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

    def _make_lost_anew(self) -> None:
        """Have services whose ports foreign processes took before they were ever ready on other ports."""
        for name, supervised in [*self._supervisor.services.items()]:
            made = self._made.get(name, [])
            is_lost = supervised.error and supervised.lost_ports and supervised.first_ready is None
            if not is_lost or not 0 < len(made) < _MOST_STARTS or self._ends:
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

    # The offer

    def _on_request(self) -> None:
        assert self._offer
        descriptor = self._offer.descriptor
        outcome = self._offer.answer(self.directory, self._held)
        if outcome == TAKE:
            self._supervisor.unwatch(descriptor)
            self._offer = None
            while self._held:  # From now on it is the session's end that ends them.
                os.close(self._held.pop())
            self._spares.check()
            self._look()
        elif outcome == END:
            self._ends = True

    def _describe(self) -> bytes:
        services = {name: {"state": each.state, "pid": each.pid} for name, each in self._supervisor.services.items()}
        return json.dumps({"pid": os.getpid(), "directory": self.directory, "services": services}).encode()

    # The end

    def _clean_up(self) -> None:
        offer, self._offer = self._offer, None
        if offer:
            self._supervisor.unwatch(offer.descriptor)
            offer.withdraw()
        self._supervisor.settle()
        self._supervisor.kill_all()
        kill_descendants({self._guardian.pid} if self._guardian else set())
        self._sandbox.remove()
        if self._spares_sandbox:
            self._spares_sandbox.remove()
        if self._is_orphan or self._held:
            _remove(self.directory)
        if self._guardian:
            warning = self._guardian.dismiss()
            if warning:
                print(warning, file=sys.stderr, flush=True)
        self._slot.release()
        for descriptor in [*self._held, self._alive, self._lock]:
            if descriptor >= 0:
                os.close(descriptor)
        if self._signals:
            self._signals.close()
        if offer:
            offer.tell_end()
        # Who waits for the end of a connection has waited for all of this.
        if self._control:
            self._control.hang_up()


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


def _environment(sandbox: Sandbox) -> dict[str, str]:
    """Return what services get: nothing of the session's own wishes."""
    own = {"HOME": sandbox.home, "TMPDIR": sandbox.temporary, "LC_ALL": "C", "TZ": "UTC"}
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin")} | own
