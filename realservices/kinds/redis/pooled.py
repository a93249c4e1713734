"""How many tests at once share a Redis in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.kinds.redis.isolated import leftovers_of
from realservices.kinds.redis.pool.pool import RedisPool
from realservices.optimization.pooled_kind import PooledKind

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.isolation.service_isolation import ServiceIsolation
    from realservices.optimization.strategy import AdaptiveStrategy


class _Redis(PooledKind):
    def isolation(self, manager: IsolationManager, endpoint: Endpoint, strategy: AdaptiveStrategy) -> ServiceIsolation:
        return RedisPool(endpoint, manager.services.directory_of(endpoint), strategy, leftovers_of(manager, endpoint))


POOLED = _Redis()
