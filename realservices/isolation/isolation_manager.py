"""One process's isolated services, each made at its first use, so that a test pays only for what it uses."""

from __future__ import annotations

import atexit
import contextlib
import functools
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError
from realservices.isolation.background import BackgroundLoop
from realservices.isolation.errors import IsolationError
from realservices.isolation.isolated_kind import is_isolated, isolated_kind
from realservices.isolation.own_process import OwnProcess
from realservices.isolation.resources import FILESYSTEM, are_packages_there, kind_of
from realservices.isolation.server_state import ServerState, servers_stores
from realservices.sources import plugins_session
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.service_isolation import Finding, ServiceIsolation
    from realservices.sources.services import Services


class IsolationManager:
    """Holds what this process uses of its services.

    Attributes:
        background: A loop of its own, in a thread.
        is_the_plugins: It belongs to a pytest session, and ends with that.
        process: Whose it is.

    Args:
        services: Where they come from.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.is_the_plugins = False
        self.process = OwnProcess()
        self.background = BackgroundLoop()
        # Replaced, never changed: others may be going through it.
        self._isolations: dict[tuple[str, str], ServiceIsolation] = {}
        self._expected: set[tuple[str, str]] = set()
        # What is needed soon is made in the background (isolation/expecting.py), and may be asked for meanwhile.
        self._locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._ending = threading.Lock()
        self._has_ended = False

    @functools.cached_property
    def servers(self) -> ServerState:
        """The databases that the declared servers use."""
        servers = servers_stores(self.services.declared())
        return ServerState(servers, self.services.endpoint, self.background, self.services.private)

    def has(self, resource: str, name: str | None = None) -> bool:
        """Return whether a resource of an environment is available here, from the named service or from any."""
        if not are_packages_there(resource):
            return False
        if kind := kind_of(resource):
            names = self.services.names(kind.name)
            return name in names if name is not None else self.services.is_had(kind.name)
        speaking = [service.name for service in self.services.declared() if resource in service.speaks]
        return resource == FILESYSTEM or (name in speaking if name is not None else bool(speaking))

    def is_tests_own(self, endpoint: Endpoint) -> bool:
        """Return whether what comes in a server while a test runs is left by it: declared servers do not use it."""
        return endpoint.disposable and endpoint.name not in self.servers.names

    @property
    def isolation(self) -> str:
        """What `isolated_database` is: ``transaction`` or ``database``."""
        return self.services.isolation

    def isolation_of(self, kind: str, name: str | None = None) -> ServiceIsolation:
        """Return what this process uses of a service: the named one, else the first of the kind.

        Raises:
            MissingServiceError: There is none.
            RealServicesError: It does not serve, or this process's use of services has ended.
        """
        endpoint = self.services.endpoint(kind, name)
        key = kind, endpoint.name
        with self._locks[key]:
            if key not in self._isolations:
                self._keep(key, self._new_isolation(endpoint))
        return self._isolations[key]

    def _keep(self, key: tuple[str, str], made: ServiceIsolation) -> None:
        with self._ending:
            if not self._has_ended:
                self._isolations = {**self._isolations, key: made}
                return
        made.close(drop=not made.endpoint.disposable)
        raise IsolationError(f"service {key[1]!r} cannot be used any more: this process's use of services has ended")

    def expect(self, kind: str, name: str) -> None:
        """Note a service that this process is about to use."""
        self._expected.add((kind, name))

    @contextlib.contextmanager
    def changes_on_purpose(self) -> Iterator[None]:
        """Take for given what is changed meanwhile in servers that this process uses, or is about to use."""
        with contextlib.ExitStack() as stack:
            # A test that needs an unavailable service gets its message from its own fixture.
            with contextlib.suppress(RealServicesError, OSError, TimeoutError):
                for key in {*self._expected, *self._isolations}:
                    if changes := self.isolation_of(*key).changes_on_purpose():
                        stack.enter_context(changes)
            yield

    def worker_database(self, worker: str, endpoint: Endpoint) -> str:
        """Make the database that programs of one worker of pytest-xdist have on a server; return its name.

        Raises:
            IsolationError: The server does not serve, or refuses it.
        """
        return isolated_kind(endpoint.kind).worker_database(self, endpoint, worker)

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends."""
        for isolation in self._isolations.values():
            await isolation.close_loop()

    def findings(self) -> list[Finding]:
        """Return what tests have left that could not be undone, each once."""
        return [finding for isolation in self._isolations.values() for finding in isolation.findings()]

    def lock_waits(self) -> list[object]:
        """Return the waits for locks that were ended since the last time, each as what to tell the test's author."""
        return [wait for isolation in self._isolations.values() for wait in isolation.lock_waits()]

    def restore(self) -> None:
        """Bring back what a restarted service has forgotten."""
        for isolation in self._isolations.values():
            isolation.restore()

    async def shut_down(self) -> None:
        """End this process's use of all services, and close what belongs to the running loop before that.

        Not where a plugin has made this manager: the session goes on.
        """
        await self.close_loop()
        if not self.is_the_plugins:
            self.close()

    def close(self) -> None:
        """End this process's use of all services. A forked child has none: it leaves its parent's as they are."""
        if not self.process.is_this:
            return
        if self in _process:
            _process.remove(self)
        if "servers" in self.__dict__:
            self.servers.close()
        self._close_isolations()
        self._leave_others()
        self.background.stop()
        self.services.close()

    def _new_isolation(self, endpoint: Endpoint) -> ServiceIsolation:
        return isolated_kind(endpoint.kind).isolation(self, endpoint)

    def _close_isolations(self, *, drop: bool = False) -> None:
        """End what was made for tests; ``drop``: remove it also from servers that end with this session."""
        with self._ending:
            self._has_ended = True  # What a thread is still making goes, too.
        for isolation in self._isolations.values():
            isolation.close(drop=drop or not isolation.endpoint.disposable)

    def _leave_others(self) -> None:
        """Remove what the session has left on servers of others, if it ends with this process."""
        if not self.services.ends_session:
            return
        for service in self.services.declared():
            if is_isolated(service.kind):
                isolated_kind(service.kind).leave(self, service.name)


_process: list[IsolationManager] = []


def process_manager() -> IsolationManager:
    """Return this process's manager; where no plugin has made one, one that ends with the process.

    A forked child gets one of its own, with databases and database indexes that are not its parent's.
    """
    if not _process:
        plugins_session.begin()
    if not _process or not _process[0].process.is_this:
        _process[:] = [IsolationManager(find_services())]
        atexit.register(_close_at_exit, _process[0])
    return _process[0]


def set_plugins_manager(manager: IsolationManager) -> None:
    """Make a plugin's manager this process's, until it is closed."""
    manager.is_the_plugins = True
    _process[:] = [manager]


def _close_at_exit(manager: IsolationManager) -> None:
    if manager in _process:
        manager.close()
