"""How many tests at once share a service of a kind in one process: the part `pooled` of a kind (kinds/kind.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.kinds.registry import part_of

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.isolation.service_isolation import ServiceIsolation
    from realservices.optimization.strategy import AdaptiveStrategy


class PooledKind:
    """How a kind is pooled."""

    def isolation(self, manager: IsolationManager, endpoint: Endpoint, strategy: AdaptiveStrategy) -> ServiceIsolation:
        """Return what this process is going to use of a service, for many tests at once.

        Args:
            manager: Of the pools.
            endpoint: The service.
            strategy: Says how much of everything there may be.

        Raises:
            RealServicesError: It does not serve.
        """
        raise NotImplementedError


def pooled_kind(name: str) -> PooledKind | None:
    """Return how a kind is pooled, None if it is not: then tests share it as one at a time do."""
    found: PooledKind | None = part_of(name, "pooled")
    return found
