"""What an environment has of PostgreSQL: ``database``, and clients of other drivers."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from realservices.isolation.shares import Shares
from realservices.kinds.postgres.isolated import postgres_of
from realservices.kinds.postgres.isolation.lazy_connection import LazyConnection

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from realservices.kinds.postgres.isolation.drivers.environment_clients import EnvironmentClients
    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation

_DATABASE = "database"


class PostgresShares(Shares):
    """See `Shares`."""

    def make(self, resource: str, name: str | None) -> Any:
        if resource == _DATABASE:
            return self._database(name)
        return self._clients.make(resource, name or self.environment.service_names.get(_DATABASE))

    def _database(self, name: str | None) -> Any:
        postgres = postgres_of(self.environment.manager, name)
        if self.is_servers(postgres):
            make: Callable[[], AbstractAsyncContextManager[Any]] = postgres.connection_to_service
        else:
            make = functools.partial(self._connection, postgres)
        # Made anew for each attempt: a context that has failed cannot be entered again.
        return LazyConnection(lambda: self.environment.entered(_DATABASE, make()))

    def _connection(self, postgres: PostgresIsolation) -> AbstractAsyncContextManager[Any]:
        """Return what ``database`` is, when it sends its first statement."""
        keep = self.environment.keep
        leased = self._clients.lease(postgres.endpoint.name)
        if leased is not None:
            leases, lease = leased
            return leases.asyncpg(lease, keep=keep)
        if self.environment.isolation == "database":
            return postgres.connection_to_clone(keep=keep)
        return postgres.transaction(keep=keep)

    @functools.cached_property
    def _clients(self) -> EnvironmentClients:
        from realservices.kinds.postgres.isolation.drivers.environment_clients import (  # noqa: PLC0415 - asyncpg takes 25 ms
            EnvironmentClients,
        )

        return EnvironmentClients(self)
