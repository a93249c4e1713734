"""Databases that tests in other languages check out of the launcher, one for each test, undone when they are released.

They come from the same pools as those of pytest's fixtures: a clone of a PostgreSQL's template with real commits, a
numbered database of a Redis, a database of a ClickHouse; and the use of a declared server, whose databases are put
back behind it. The launcher (launcher/checkouts.py) says which test holds what; checkout_program.py is between them.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from realservices.isolation.isolated_kind import is_isolated, isolated_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.isolation.checked_out import CheckedOut
    from realservices.isolation.isolation_manager import IsolationManager

# The fields of a server of the project's own.
_SHOWN = ("host", "port", "password", "url")


class Checkouts:
    """What is checked out of one test action's services.

    Args:
        manager: Of this process.
    """

    def __init__(self, manager: IsolationManager) -> None:
        self._manager = manager
        self._held: dict[int, contextlib.ExitStack] = {}
        self._kinds: dict[str, CheckedOut] = {}
        self._lock = threading.Lock()
        self._servers = threading.Lock()

    def prepare(self) -> None:
        """Make the first databases before anybody asks."""
        for service in self._manager.services.declared():
            if is_isolated(service.kind):
                self._of(service.kind).prepare(service.name)

    def take(self, number: int, kind: str, service: str, test: str) -> dict[str, Any]:
        """Check something out; return what a client needs to use it.

        Args:
            number: By which it is released.
            kind: Of the service.
            service: Its name.
            test: Which test it is for, "": it is not known.

        Raises:
            RealServicesError: It cannot be given.
        """
        with contextlib.ExitStack() as stack:
            fields = stack.enter_context(
                self._of(kind).take(service, test) if is_isolated(kind) else self._server(kind, service)
            )
            self._held[number] = stack.pop_all()
        return fields

    def release(self, number: int) -> None:
        """Undo what was done with it.

        Raises:
            RealServicesError: That is not possible.
        """
        self._held.pop(number).close()

    def findings(self) -> list[str]:
        """Return what tests have left that could not be undone, with the tests' names where they are known."""
        return [f"{each.test or 'a test'}: {each.text}" for each in self._manager.findings()]

    def _of(self, kind: str) -> CheckedOut:
        with self._lock:
            if kind not in self._kinds:
                self._kinds[kind] = isolated_kind(kind).checked_out(self._manager)
            return self._kinds[kind]

    @contextlib.contextmanager
    def _server(self, kind: str, service: str) -> Iterator[dict[str, Any]]:
        endpoint = self._manager.services.endpoint(kind, service)
        with self._servers:  # One test at a time: servers keep their connections to their databases.
            self._manager.servers.enter()
            try:
                yield {field: getattr(endpoint, field) for field in _SHOWN}
            finally:
                self._manager.servers.leave()
