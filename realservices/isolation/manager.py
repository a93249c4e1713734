"""One process's isolated services, each made at its first use, so that a test pays only for what it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.isolation.background import BackgroundLoop
from realservices.isolation.ready_databases import ReadyDatabases

if TYPE_CHECKING:
    from realservices.isolation.postgres import PostgresIsolation
    from realservices.isolation.redis import RedisIsolation
    from realservices.sources.services import Services


class IsolationManager:
    """Holds what this process uses of its services.

    Args:
        services: Where they come from.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self._background = BackgroundLoop()
        self._postgres: dict[str, PostgresIsolation] = {}
        self._redis: dict[str, RedisIsolation] = {}

    @property
    def isolation(self) -> str:
        """What `isolated_database` is: ``transaction`` or ``database``."""
        return self.services.isolation

    def postgres(self, name: str | None = None) -> PostgresIsolation:
        """Return the isolation of a PostgreSQL service: the named one, else the first.

        Raises:
            MissingServiceError: There is none.
            RealServicesError: It does not serve.
        """
        endpoint = self.services.endpoint("postgres", name)
        if endpoint.name not in self._postgres:
            from realservices.isolation.postgres import PostgresIsolation  # noqa: PLC0415 - asyncpg takes 25 ms

            ready = ReadyDatabases(endpoint, self.services.private)
            self._postgres[endpoint.name] = PostgresIsolation(endpoint, self._background, ready)
        return self._postgres[endpoint.name]

    def redis(self, name: str | None = None) -> RedisIsolation:
        """Return the isolation of a Redis service: the named one, else the first.

        Raises:
            MissingServiceError: There is none.
            RealServicesError: It does not serve.
        """
        endpoint = self.services.endpoint("redis", name)
        if endpoint.name not in self._redis:
            from realservices.isolation.redis import RedisIsolation  # noqa: PLC0415 - redis takes 50 ms

            self._redis[endpoint.name] = RedisIsolation(endpoint, self.services.private)
        return self._redis[endpoint.name]

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends."""
        for postgres in self._postgres.values():
            await postgres.close_loop()
        for redis in self._redis.values():
            await redis.close_loop()

    def restore(self) -> None:
        """Bring back what a restarted service has forgotten."""
        for redis in self._redis.values():
            redis.restore()

    def close(self) -> None:
        """End this process's use of all services."""
        for postgres in self._postgres.values():
            postgres.close(drop=not postgres.endpoint.disposable)
        for redis in self._redis.values():
            redis.close()
        self._background.stop()
        self.services.close()
