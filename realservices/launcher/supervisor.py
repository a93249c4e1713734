"""The supervisor: starts services in dependency order, finds them ready, notices their death, stops them.

Everything happens in one thread and one poll loop. Log lines, deaths of children, control requests and signals are
its events. A probe is tried when a service's own log announces readiness; for a server whose log does not, timers try
again, at the pace of its kind.
"""

from __future__ import annotations

import os
import select
import signal
import time

from realservices.contract.errors import InfrastructureError, ManifestError, ServiceError
from realservices.control.states import FAILED, PAUSED, READY, STARTING, STOPPED, WAITING
from realservices.host.process import EXIT_NO_NAMESPACE, describe_exit, kill_session, reap, run_beside
from realservices.launcher.graph import blocker_of, can_start
from realservices.launcher.supervised_service import Supervised, Watcher
from realservices.system.process_ids import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.services.base import Service

_END_TIMEOUT_S = 5.0
# To wait for longer, wait again: poll(2) takes at most 24 days.
_LONGEST_WAIT_S = 86400.0


class Supervisor:
    """All services of one session.

    Args:
        services: The first ones, in dependency order.
        env: Environment of the services.
        watcher: Is told what happens to them.

    Attributes:
        services: All by name.
        standby: Names of those that run although nobody has asked for them yet; nobody is told of them.
    """

    def __init__(self, services: list[Service], env: dict[str, str], watcher: Watcher | None = None) -> None:
        self._watcher = watcher or Watcher()
        self.services: dict[str, Supervised] = {}
        self.take(services)
        self.standby: set[str] = set()
        self._env = env
        self._poll = select.poll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._watcher.attach(self)

    # Events

    def watch(self, descriptor: int, on_event: Callable[[], None], *, writes: bool = False) -> None:
        """Call ``on_event`` in `step` whenever ``descriptor`` has something to read or its peer is gone.

        Args:
            descriptor: What to watch. A second call replaces what the first one has said.
            on_event: See above.
            writes: Call it also when there is room to write.
        """
        self._readers[descriptor] = on_event
        self._poll.register(descriptor, select.POLLIN | (select.POLLOUT if writes else 0))

    def unwatch(self, descriptor: int) -> None:
        """Stop watching a descriptor; harmless if it is not watched."""
        if self._readers.pop(descriptor, None):
            self._poll.unregister(descriptor)

    def step(self, timeout_s: float | None = None) -> None:
        """Wait for events, at most ``timeout_s`` seconds, and deal with them."""
        due = [s.deadline for s in self.services.values() if s.deadline is not None]
        if due:
            until_due = max(0.0, min(due) - time.monotonic())
            timeout_s = until_due if timeout_s is None else min(timeout_s, until_due)
        wait_ms = None if timeout_s is None else int(min(timeout_s, _LONGEST_WAIT_S) * 1000) + 1
        for descriptor, _ in self._poll.poll(wait_ms):
            reader = self._readers.get(descriptor)
            if reader:
                reader()
        now = time.monotonic()
        for supervised in self.services.values():
            if supervised.state == STARTING and now >= supervised.next_probe:
                self._probe(supervised, now)
            elif supervised.kill_at is not None and now >= supervised.kill_at:
                supervised.kill_at = None
                self.send_signal(supervised.name, signal.SIGKILL, supervised.state)

    # Start

    def take(self, services: list[Service]) -> None:
        """Take more services, in dependency order, and leave them waiting."""
        self.services |= {service.spec.name: Supervised(service, self._watcher) for service in services}

    def add(self, service: Service) -> None:
        """Take one more service, and start it if what it needs is ready."""
        self.take([service])
        self.start_waiting()

    @property
    def asked_for(self) -> dict[str, Supervised]:
        """All services but those on standby."""
        return {name: supervised for name, supervised in self.services.items() if name not in self.standby}

    def remove(self, name: str) -> None:
        """End a service at once, and know it no more."""
        self._end(name)
        del self.services[name]

    def replace(self, service: Service) -> None:
        """End the service of the same name at once, and have this one in its place."""
        self._end(service.spec.name)
        self.add(service)

    def _end(self, name: str) -> None:
        supervised = self.services[name]
        self._end_probe(supervised)
        self.unwatch(supervised.log.descriptor)
        _kill(supervised)
        _reap(supervised, time.monotonic() + _END_TIMEOUT_S)

    def start_waiting(self) -> None:
        """Start every service whose needs are all ready, those first that all others will wait for."""
        for supervised in sorted(self.services.values(), key=lambda each: not each.service.is_slow_to_start):
            if can_start(self.services, supervised):
                self.start(supervised.name)

    def start(self, name: str) -> None:
        """Start one service."""
        supervised = self.services[name]
        is_first = supervised.first_start is None
        supervised.begin()
        if is_first and supervised.has_lost_ports():
            # A probe could take the foreign server for this one.
            supervised.fail("was not started")
            return
        self._spawn(supervised, may_prepare=True)

    def _spawn(self, supervised: Supervised, *, may_prepare: bool) -> None:
        """Start a service's process, or before that one beside which prepares it, so that no other service waits."""
        output = -1
        try:
            output = supervised.log.open()
            preparation = supervised.service.preparation() if may_prepare else None
            supervised.is_preparing = preparation is not None
            supervised.pid = run_beside(preparation) if preparation else supervised.service.start(self._env, output)
        except OSError as error:
            supervised.fail_to_start(error)
        except ManifestError as error:
            # What is wrong with one service must not end the others: this may be called long after it was asked for.
            supervised.fail(f"could not be started: {error}")
        except InfrastructureError as error:
            supervised.fail(f"could not be started: {error}", machine=error)
        finally:
            if output >= 0:
                os.close(output)
                self.watch(supervised.log.descriptor, lambda: self._on_log(supervised))

    def is_ready(self, names: list[str] | None = None) -> bool:
        """Return whether these services (all by default) are ready.

        Raises:
            ServiceError: One of them has failed, or cannot start because one that it needs has failed or was stopped.
        """
        chosen = [self.services[name] for name in names] if names is not None else list(self.services.values())
        for supervised in chosen:
            blocker = blocker_of(self.services, supervised)
            if blocker and blocker.error:
                raise blocker.error
            if blocker:
                cause = f"cannot start: it needs {blocker.name!r}, which was stopped"
                raise ServiceError(supervised.name, supervised.service.spec.label, cause, supervised.log.tail())
            if supervised.error:
                raise supervised.error
            if supervised.state == STOPPED:
                raise ServiceError(supervised.name, supervised.service.spec.label, "was stopped", supervised.log.tail())
        return all(s.state == READY for s in chosen)

    # Ends

    def on_exit(self, pid: int, status: int, cpu_s: float, peak_bytes: int) -> None:
        """Take note of a dead child, if it is one of the services or a probe of one."""
        for supervised in self.services.values():
            if supervised.pid == pid:
                supervised.add_usage(cpu_s, peak_bytes)
                self._exited(supervised, status)
                return
            if supervised.service.child_exited(pid, status):
                self._probe(supervised, time.monotonic())
                return

    def failures(self) -> list[ServiceError]:
        """Return what went wrong so far, in the order of declaration."""
        return [s.error for s in self.services.values() if s.error]

    def send_signal(self, name: str, number: int, state: str) -> None:
        """Send a signal that somebody asked for; the service's end is then no failure."""
        supervised = self.services[name]
        if supervised.state == PAUSED and number != signal.SIGCONT:
            self.send_signal(name, signal.SIGCONT, READY)  # A stopped process would not hear of anything else.
        supervised.state = state
        # A server must be paused with its workers, and must not leave workers on its data when it is killed. Every
        # other signal is the main process's to pass on.
        whole_tree = number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL)
        supervised.signalled = descendants(supervised.pid) if whole_tree else []
        for pid in [*supervised.signalled, supervised.pid]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def stop(self, name: str) -> None:
        """Ask a service to end in its own orderly way; one that takes longer than its grace is killed."""
        supervised = self.services[name]
        self.send_signal(name, supervised.service.stop_signal, STOPPED)
        if supervised.service.grace_s is not None:
            supervised.kill_at = time.monotonic() + supervised.service.grace_s

    def restart(self, name: str) -> None:
        """Start a service anew, after its end if it runs. Nobody waits for that here: its watcher is told."""
        supervised = self.services[name]
        supervised.starts_again = True
        if not supervised.pid:
            self._start_again(supervised)
        elif supervised.state == STARTING:  # It may not have its signal handlers yet.
            self.send_signal(name, signal.SIGKILL, STOPPED)
        elif supervised.state != STOPPED:
            self.stop(name)

    def freeze(self) -> None:
        """Take note of how the services are at the end of the test; after this, no end is a failure."""
        for supervised in self.services.values():
            supervised.final_state = supervised.state
            supervised.blocker = blocker_of(self.services, supervised)
            supervised.starts_again = False
        for supervised in self.services.values():
            if supervised.state not in (PAUSED, FAILED):
                supervised.state = STOPPED

    def end_in_order(self) -> None:
        """Ask those services to end that have something to write then, each one before those that it needs."""
        for supervised in reversed(self.services.values()):
            if supervised.pid and supervised.service.ends_in_order:
                self.stop(supervised.name)
                while supervised.pid:
                    self.step()

    def kill_all(self) -> None:
        """Kill every service and reap it. Their data is not wanted any more."""
        for supervised in self.services.values():
            if supervised.pid and supervised.state == PAUSED:
                self.send_signal(supervised.name, signal.SIGCONT, READY)
            _kill(supervised)
        deadline = time.monotonic() + _END_TIMEOUT_S
        for supervised in self.services.values():
            _reap(supervised, deadline)

    def _exited(self, supervised: Supervised, status: int) -> None:
        pid, supervised.pid = supervised.pid, 0
        supervised.kill_at = None
        kill_session(pid)
        self._end_probe(supervised)
        supervised.log.drain()
        self.unwatch(supervised.log.descriptor)
        supervised.log.close()
        if supervised.is_preparing and supervised.state == STARTING:
            self._spawn(supervised, may_prepare=False)  # However it has ended.
            return
        has_no_namespace = supervised.state == STARTING and os.waitstatus_to_exitcode(status) == EXIT_NO_NAMESPACE
        if has_no_namespace and supervised.service.fall_back((supervised.log.tail() or [describe_exit(status)])[-1]):
            self.start(supervised.name)
            return
        after_s = time.monotonic() - supervised.started_at
        if supervised.state == STARTING:
            supervised.fail(f"{describe_exit(status)} after {after_s:.2f} s, before it was ready")
        elif supervised.state in (READY, PAUSED):
            supervised.fail(f"{describe_exit(status)} {self._watcher.during}, {after_s:.2f} s after its start")
        self._start_again(supervised)

    def _start_again(self, supervised: Supervised) -> None:
        if supervised.starts_again:
            supervised.starts_again = False
            supervised.state = WAITING
            self.start_waiting()

    def _on_log(self, supervised: Supervised) -> None:
        lines = supervised.log.read()
        if lines is None:
            self.unwatch(supervised.log.descriptor)
            return
        if supervised.state == STARTING and any(map(supervised.service.is_ready_line, lines)):
            self._probe(supervised, time.monotonic())

    def _probe(self, supervised: Supervised, now: float) -> None:
        if supervised.state != STARTING:
            return  # It was killed, or its state was decided, while an answer was awaited: a late answer means nothing.
        service = supervised.service
        try:
            is_ready = service.probe()
        except OSError:
            is_ready = False
        elapsed_s = now - supervised.started_at
        if is_ready:
            supervised.succeed()
            self._end_probe(supervised)
            self.start_waiting()
            return
        reason = service.give_up_reason(elapsed_s)
        if reason:
            supervised.fail(reason)
            self._end_probe(supervised)
            return
        supervised.next_probe = now + service.probe_pause_s(elapsed_s)
        self._watch_probe(supervised, service.probe_descriptor)

    def _watch_probe(self, supervised: Supervised, descriptor: int) -> None:
        """Go on with a probe as soon as what it waits for has come."""
        if descriptor != supervised.probe_descriptor:
            self.unwatch(supervised.probe_descriptor)
            supervised.probe_descriptor = descriptor
            if descriptor >= 0:
                self.watch(descriptor, lambda: self._probe(supervised, time.monotonic()))

    def _end_probe(self, supervised: Supervised) -> None:
        self._watch_probe(supervised, -1)
        supervised.service.stop_probing()


def _kill(supervised: Supervised) -> None:
    if supervised.pid:
        os.kill(supervised.pid, supervised.service.end_signal)
    supervised.state = STOPPED


def _reap(supervised: Supervised, deadline: float) -> None:
    if supervised.pid:
        supervised.add_usage(*reap(supervised.pid, deadline))
        supervised.pid = 0
    supervised.log.drain()
    supervised.log.close()
    supervised.service.close()
