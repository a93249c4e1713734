"""What tests ask of a kind of service that they share: the part `isolated` of a kind (kinds/kind.py)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationError
from realservices.kinds.registry import find_known, part_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.checked_out import CheckedOut
    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.isolation.servers_store import ServersStore
    from realservices.isolation.service_isolation import ServiceIsolation
    from realservices.isolation.shares import Shares
    from realservices.isolation.test_environment import TestEnvironment


class IsolatedKind:
    """How a kind is isolated. Nothing here imports a client library before it is used."""

    def isolation(self, manager: IsolationManager, endpoint: Endpoint) -> ServiceIsolation:
        """Return what this process is going to use of a service.

        Raises:
            RealServicesError: It does not serve.
        """
        raise NotImplementedError

    def shares(self, environment: TestEnvironment) -> Shares:
        """Return what one test's environment has of the kind."""
        raise NotImplementedError

    def servers_store(self, endpoint: Endpoint, background: BackgroundLoop, directory: str) -> ServersStore:
        """Return a database that servers of the project's own use.

        Args:
            endpoint: The service.
            background: For what has to run in a loop.
            directory: What all processes that share the servers share.

        Raises:
            IsolationError: The kind does not say how it is restored.
        """
        raise IsolationError(
            f"service {endpoint.name!r} ({endpoint.label}) is used by servers, and kind {endpoint.kind!r} does not say "
            "how its data are restored after a test: define servers_store in its IsolatedKind (docs/own_kinds.md)"
        )

    def checked_out(self, manager: IsolationManager) -> CheckedOut:
        """Return how tests in other languages get a database."""
        raise NotImplementedError

    def expect(self, manager: IsolationManager, service: str, tests: Iterable[Collection[str]]) -> None:
        """Prepare for tests to come, in the background where that takes time.

        Args:
            manager: The session's.
            service: The service that they mean.
            tests: Our fixtures that each of them uses.
        """

    def worker_database(self, manager: IsolationManager, endpoint: Endpoint, worker: str) -> str:
        """Make the database that programs of one worker of pytest-xdist have; return its name; "" if there can be none.

        Raises:
            IsolationError: The server does not serve, or refuses it.
        """
        return ""

    async def ask(self, endpoint: Endpoint) -> None:
        """Ask a server whether it serves, as its clients do.

        Raises:
            Exception: Whatever a client raises where it does not.
        """
        _, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        writer.close()
        await writer.wait_closed()

    def leave(self, manager: IsolationManager, name: str) -> None:
        """Remove what the session, which ends, has left on an external server.

        Args:
            manager: The session's.
            name: The service.
        """


def is_isolated(name: str) -> bool:
    """Return whether tests share services of a kind. What is known by its URL alone is of none."""
    kind = find_known(name)
    return kind is not None and bool(kind.isolated)


def isolated_kind(name: str) -> IsolatedKind:
    """Return how a kind is isolated."""
    found: IsolatedKind = part_of(name, "isolated")
    return found
