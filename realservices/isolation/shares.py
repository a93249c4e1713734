"""What one test's environment has of the services of one kind: a client for each key, made when the test asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realservices.isolation.service_isolation import ServiceIsolation
    from realservices.isolation.test_environment import TestEnvironment


class Shares:
    """Base of all kinds.

    Args:
        environment: The test's.
    """

    def __init__(self, environment: TestEnvironment) -> None:
        self.environment = environment

    def make(self, resource: str, name: str | None) -> Any:
        """Return the client of a key.

        Args:
            resource: One of the kind's `resources`.
            name: The service; None: the first one.

        Raises:
            MissingServiceError: There is none.
            IsolationError: It is not available any more.
        """
        raise NotImplementedError

    def is_servers(self, isolation: ServiceIsolation) -> bool:
        """Return whether servers of the project's own use a service. If so, the test has it now, until its end."""
        servers = self.environment.manager.servers
        if isolation.endpoint.name not in servers.names:
            return False
        servers.enter()
        return True
