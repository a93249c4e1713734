"""What running servers have written, undone after each test that used them.

A server that a target declares (executable_service) keeps its own connections to the databases it needs, so a test that
speaks with it shares these databases with it: what the test inserts the server must see, and the other way round.
One test at a time has them, also among pytest-xdist's workers, and afterwards they hold again what they held before
the first one.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError
from realservices.isolation.errors import IsolationBrokenError
from realservices.isolation.isolated_kind import is_isolated, isolated_kind
from realservices.isolation.own_process import OwnProcess
from realservices.system.locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.servers_store import ServersStore
    from realservices.sources.source import Declared


def servers_stores(declared: Iterable[Declared]) -> dict[str, dict[str, str]]:
    """Return, for each executable that needs databases, directly or through others, their names and kinds."""
    known = {service.name: service for service in declared}
    found = {service.name: _stores(service, known) for service in known.values() if service.kind == "executable"}
    return {server: stores for server, stores in found.items() if stores}


def _stores(server: Declared, known: Mapping[str, Declared]) -> dict[str, str]:
    waiting, needed = list(server.needs), dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name in known and name not in needed:
            needed[name] = known[name].kind
            waiting += known[name].needs
    return {name: kind for name, kind in needed.items() if is_isolated(kind)}


class ServerState:
    """The databases that servers use, from one process's point of view.

    Attributes:
        names: Which databases they are.

    Args:
        servers: Which of them each server uses: name and kind.
        endpoint: Returns a service's endpoint by kind and name, and starts it where it does not run.
        background: For what has to run in a loop.
        directory: What all processes that share the servers share, for the lock.
    """

    def __init__(
        self,
        servers: Mapping[str, Mapping[str, str]],
        endpoint: Callable[[str, str], Endpoint],
        background: BackgroundLoop,
        directory: str,
    ) -> None:
        self._servers = list(servers)
        self._kinds = {name: kind for stores in servers.values() for name, kind in stores.items()}
        self.names = set(self._kinds)
        self._endpoint = endpoint
        self._background = background
        self._stores: list[ServersStore] = []
        # What could not be restored when a test ended, because its server was down.
        self._unrestored: list[ServersStore] = []
        self._directory = directory
        self._process = OwnProcess()
        self._lock = FileLock(f"{directory}/servers.lock")

    def enter(self) -> None:
        """Begin a test's use: wait for other processes' tests, and look what is there before the first one."""
        if not self._kinds or self._lock.is_held:
            return
        self._lock.acquire()
        try:
            if self._stores:
                self._resume()
            else:
                self._stores = self._take()
        except BaseException:
            # Else the next one to ask would go on with databases that are not restored.
            self._lock.release()
            raise

    def leave(self) -> None:
        """End a test's use: put everything back. Does nothing where the test did not begin one.

        Raises:
            IsolationError, IsolationBrokenError: Something could not be restored in place.
        """
        if not self._lock.is_held or not self._process.is_this:
            return
        try:
            self._restore(self._stores)
        finally:
            self._lock.release()

    def _resume(self) -> None:
        for store in self._stores:
            store.resume()
        self._restore(self._unrestored)

    def _take(self) -> list[ServersStore]:
        endpoints = [self._endpoint(kind, name) for name, kind in self._kinds.items()]
        self._start_servers()
        stores: list[ServersStore] = []
        try:
            for endpoint in endpoints:
                stores.append(isolated_kind(endpoint.kind).servers_store(endpoint, self._background, self._directory))
                stores[-1].take()
        except BaseException:
            for store in stores:
                store.close()
            raise
        return stores

    def _start_servers(self) -> None:
        """Have what servers write at their start, such as tables, be a part of what is restored."""
        for name in self._servers:
            # Whoever needs a server that does not start is told by its own fixture.
            with contextlib.suppress(RealServicesError):
                self._endpoint("executable", name)

    def _restore(self, stores: list[ServersStore]) -> None:
        """Put everything back, also what comes after something that cannot be; raise the first error of those."""
        errors: list[Exception] = []
        unrestored: list[ServersStore] = []
        for store in stores:
            try:
                store.restore()
            except IsolationBrokenError as error:  # It has been made anew.
                errors.append(error)
            except Exception as error:  # noqa: BLE001 - raised below; the others are restored first
                errors.append(error)
                unrestored.append(store)
        self._unrestored = unrestored
        if errors:
            raise errors[0]

    def close(self) -> None:
        """Disconnect."""
        for store in self._stores:
            store.close()
