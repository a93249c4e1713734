"""How many tests at once share a PostgreSQL in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.postgres.isolated import prepared
from realservices.kinds.postgres.pool.pool import PostgresPool
from realservices.optimization.pooled_kind import PooledKind

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.isolation.service_isolation import ServiceIsolation
    from realservices.optimization.strategy import AdaptiveStrategy


class _Postgres(PooledKind):
    def isolation(self, manager: IsolationManager, endpoint: Endpoint, strategy: AdaptiveStrategy) -> ServiceIsolation:
        endpoint, others = prepared(manager, endpoint)
        ready = ReadyDatabases(endpoint, manager.services.private)
        return PostgresPool(endpoint, manager.background, ready, strategy, others)


POOLED = _Postgres()
