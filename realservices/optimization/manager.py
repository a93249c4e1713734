"""`IsolationManager` with pools for many tests at once, on the services that this process has anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.isolation.manager import IsolationManager
from realservices.isolation.ready_databases import ReadyDatabases

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.isolation.server_state import ServerState
    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation
    from realservices.kinds.redis.isolation.isolation import RedisIsolation
    from realservices.optimization.postgres_lanes import PostgresLanes
    from realservices.optimization.redis_lanes import RedisLanes
    from realservices.optimization.strategy import AdaptiveStrategy


class PooledIsolationManager(IsolationManager):
    """Holds the pools. Services, background loop and the lock on servers' databases stay the process's manager's.

    Attributes:
        postgres_lanes: By service, those that were used.
        redis_lanes: By service, those that were used.

    Args:
        process: This process's manager.
        strategy: Says how much of everything there may be.
    """

    def __init__(self, process: IsolationManager, strategy: AdaptiveStrategy) -> None:
        super().__init__(process.services)
        self._process = process
        self._background = process._background
        self._strategy = strategy
        self.postgres_lanes: dict[str, PostgresLanes] = {}
        self.redis_lanes: dict[str, RedisLanes] = {}

    @property
    def servers(self) -> ServerState:
        """The databases that the declared servers use: the process's, because two locks would exclude each other."""
        return self._process.servers

    def _make_postgres(self, endpoint: Endpoint) -> PostgresIsolation:
        from realservices.optimization.postgres_lanes import PostgresLanes  # noqa: PLC0415 - asyncpg takes 25 ms

        endpoint, owner = self._process._prepared(endpoint)
        ready = ReadyDatabases(endpoint, self.services.private)
        lanes = PostgresLanes(endpoint, self._background, ready, self._strategy, owner)
        self.postgres_lanes[endpoint.name] = lanes
        return lanes

    def _make_redis(self, endpoint: Endpoint) -> RedisIsolation:
        from realservices.optimization.redis_lanes import RedisLanes  # noqa: PLC0415 - redis takes 50 ms

        settings = self._strategy.settings
        lanes = self.redis_lanes[endpoint.name] = RedisLanes(
            endpoint,
            self.services.private,
            pooling=settings.enable_resource_pooling,
            timeout_s=settings.acquire_timeout_s,
        )
        return lanes

    def close(self) -> None:
        """Close the pools, and remove what is in them: the process may go on with its services."""
        self._close_shares(drop=True)
