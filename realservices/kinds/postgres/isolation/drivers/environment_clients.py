"""What an environment has of a test's database by psycopg, psycopg2 and SQLAlchemy, each by its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolated import postgres_of
from realservices.kinds.postgres.isolation.clone import Clone
from realservices.kinds.postgres.isolation.drivers.imports import connections_of
from realservices.kinds.postgres.isolation.drivers.imports import driver as imported

if TYPE_CHECKING:
    from realservices.isolation.shares import Shares
    from realservices.kinds.postgres.isolation.drivers.lease import DatabaseLease
    from realservices.kinds.postgres.isolation.drivers.leases import Leases


class EnvironmentClients:
    """Clients of one environment, all of one service's database together.

    Args:
        shares: The environment's share of PostgreSQL.
    """

    def __init__(self, shares: Shares) -> None:
        environment = shares.environment
        self._shares = shares
        self._manager = environment.manager
        self._stack = environment.stack
        self._test_id = environment.test_id
        self._keep = environment.keep
        self._leases: dict[str, tuple[Leases, DatabaseLease]] = {}
        self._apart: set[str] = set()

    def lease(self, service: str) -> tuple[Leases, DatabaseLease] | None:
        """Return the database that clients of a service have. None: there is none, and there will be none."""
        if service not in self._leases:
            self._apart.add(service)
        return self._leases.get(service)

    def make(self, key: str, name: str | None) -> Any:
        """Return a client of the named service's database, or of the first one's.

        Raises:
            MissingServiceError: There is none.
            IsolationError: The driver is missing, or ``database`` is something else already.
        """
        wanted_by = f"environment[{key!r}]"
        if key == "psycopg2":
            imported("psycopg2", wanted_by)
            return self._blocking("psycopg2", name)
        if key.startswith("psycopg"):
            imported("psycopg", wanted_by)
            return self._blocking("psycopg", name) if key == "psycopg" else self._psycopg_async(name)
        imported("sqlalchemy", wanted_by)
        if key.endswith("_async"):
            imported("greenlet", wanted_by)
        return getattr(self, f"_{key}")(name)

    def _blocking(self, driver: str, name: str | None) -> Any:
        connections = connections_of(driver)
        _, lease = self._lease(name)
        connection = connections.connect(lease)
        self._stack.callback(connections.release, connection)
        return connection

    def _psycopg_async(self, name: str | None) -> Any:
        from realservices.kinds.postgres.isolation.drivers import psycopg_connections  # noqa: PLC0415 - for its users

        _, lease = self._lease(name)
        connection = psycopg_connections.connect_at_once(lease)
        self._stack.callback(psycopg_connections.release, connection)
        return connection

    def _engine(self, name: str | None, key: str = "engine") -> Any:
        from realservices.kinds.postgres.isolation.drivers.engines import BLOCKING, chosen_driver  # noqa: PLC0415 - as above

        leases, lease = self._lease(name)
        asked = f"environment[{key!r}]"
        driver = chosen_driver(asked, BLOCKING)
        return self._stack.enter_context(leases.engines.blocking(lease, driver, asked))

    def _session(self, name: str | None) -> Any:
        from realservices.kinds.postgres.isolation.drivers.sessions import session_on  # noqa: PLC0415 - for its users

        return self._stack.enter_context(session_on(self._engine(name, "session")))

    def _engine_async(self, name: str | None, key: str = "engine_async") -> Any:
        from realservices.kinds.postgres.isolation.drivers.engines import (  # noqa: PLC0415 - for its users
            ASYNCHRONOUS,
            chosen_driver,
        )

        leases, lease = self._lease(name)
        asked = f"environment[{key!r}]"
        driver = chosen_driver(asked, ASYNCHRONOUS)
        engine, end = leases.engines.asynchronous(lease, driver, asked, keep=self._keep)
        self._stack.push_async_callback(end)
        return engine

    def _session_async(self, name: str | None) -> Any:
        from realservices.kinds.postgres.isolation.drivers.sessions import (  # noqa: PLC0415 - for its users
            async_session_on,
        )

        session, end = async_session_on(self._engine_async(name, "session_async"))
        self._stack.push_async_callback(end)
        return session

    def _lease(self, name: str | None) -> tuple[Leases, DatabaseLease]:
        postgres = postgres_of(self._manager, name)
        service = postgres.endpoint.name
        if service in self._apart:
            raise IsolationError(
                f"{self._test_id}: environment['database'] has sent its first statement, and other clients would not "
                "see what it does. Take their keys from the environment before that, so that all have one database"
            )
        if service not in self._leases:
            if self._shares.is_servers(postgres):
                lease = postgres.leases.lease_of(Clone(postgres.endpoint, str(postgres.endpoint.database)))
            else:
                lease = self._stack.enter_context(postgres.leases.lease())
            self._leases[service] = postgres.leases, lease
        return self._leases[service]
