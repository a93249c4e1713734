"""`IsolationManager` with pools for many tests at once, on the services that this process has anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realservices.isolation.isolation_manager import IsolationManager
from realservices.optimization.pooled_kind import pooled_kind

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.isolation.server_state import ServerState
    from realservices.isolation.service_isolation import ServiceIsolation
    from realservices.optimization.strategy import AdaptiveStrategy


class PooledIsolationManager(IsolationManager):
    """Holds the pools. Services, background loop and the lock on servers' databases stay the process's manager's.

    Args:
        process: This process's manager.
        strategy: Says how much of everything there may be.
    """

    def __init__(self, process: IsolationManager, strategy: AdaptiveStrategy) -> None:
        super().__init__(process.services)
        self._process = process
        self.background = process.background
        self._strategy = strategy

    @property
    def servers(self) -> ServerState:
        """The databases that the declared servers use: the process's, because two locks would exclude each other."""
        return self._process.servers

    def measures(self) -> dict[str, dict[str, Any]]:
        """Return what each service's pool holds at present, by the service's name."""
        return {name: measures for (_, name), each in self._isolations.items() if (measures := each.measures())}

    def _new_isolation(self, endpoint: Endpoint) -> ServiceIsolation:
        pooled = pooled_kind(endpoint.kind)
        return pooled.isolation(self, endpoint, self._strategy) if pooled else super()._new_isolation(endpoint)

    def close(self) -> None:
        """Close the pools, and remove what is in them: the process may go on with its services."""
        self._close_isolations(drop=True)
