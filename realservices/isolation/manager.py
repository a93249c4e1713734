"""One process's isolated services, each made at its first use, so that a test pays only for what it uses."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import threading
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.isolation.background import BackgroundLoop
from realservices.isolation.own_process import OwnProcess
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.isolation.server_state import ServerState, servers_stores
from realservices.sources import plugins_session
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.kinds.clickhouse.isolation.isolation import ClickHouseIsolation
    from realservices.kinds.postgres.isolation.clones import Finding
    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation
    from realservices.kinds.postgres.isolation.lock_waits import LockWait
    from realservices.kinds.postgres.isolation.session_databases import SessionDatabases
    from realservices.kinds.redis.isolation.isolation import RedisIsolation
    from realservices.sources.services import Services

_PACKAGES = {
    "psycopg": ("psycopg",),
    "psycopg_async": ("psycopg",),
    "psycopg2": ("psycopg2",),
    "engine": ("sqlalchemy",),
    "engine_async": ("sqlalchemy", "greenlet"),
    "session": ("sqlalchemy",),
    "session_async": ("sqlalchemy", "greenlet"),
}
KIND_OF = {
    "database": "postgres",
    **dict.fromkeys(_PACKAGES, "postgres"),
    "redis": "redis",
    "redis_bytes": "redis",
    "clickhouse": "clickhouse",
}
"""Which kind of service is behind a resource of an environment that is a database."""


class IsolationManager:
    """Holds what this process uses of its services.

    Attributes:
        expected_postgres: Names of the PostgreSQL services that it is about to use.
        is_the_plugins: It belongs to a pytest session, and ends with that.
        process: Whose it is.

    Args:
        services: Where they come from.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.expected_postgres: set[str] = set()
        self.is_the_plugins = False
        self.process = OwnProcess()
        self._background = BackgroundLoop()
        self._postgres: dict[str, PostgresIsolation] = {}
        self._redis: dict[str, RedisIsolation] = {}
        self._clickhouse: dict[str, ClickHouseIsolation] = {}
        self._others: dict[str, SessionDatabases] = {}
        # What is needed soon is made in the background (fixtures/prefetch.py), and may be asked for meanwhile.
        self._locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)

    @functools.cached_property
    def servers(self) -> ServerState:
        """The databases that the declared servers use."""
        stores = servers_stores(self.services.declared())
        return ServerState(stores, self.services.endpoint, self._background, self.services.private)

    def has(self, resource: str, name: str | None = None) -> bool:
        """Say whether a resource of an environment can be had here, from the named service or from any."""
        if any(importlib.util.find_spec(package) is None for package in _PACKAGES.get(resource, ())):
            return False
        if resource in KIND_OF:
            names = self.services.names(KIND_OF[resource])
            return name in names if name is not None else self.services.is_had(KIND_OF[resource])
        speaking = [service.name for service in self.services.declared() if resource in service.speaks]
        return resource == "filesystem" or (name in speaking if name is not None else bool(speaking))

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
        with self._locks["postgres", endpoint.name]:
            if endpoint.name not in self._postgres:
                self._postgres[endpoint.name] = self._make_postgres(endpoint)
        return self._postgres[endpoint.name]

    def used_postgres(self) -> list[PostgresIsolation]:
        """Return the isolations of the PostgreSQL services that this process uses, or is about to use."""
        return [self.postgres(name) for name in {*self.expected_postgres, *self._postgres}]

    def redis(self, name: str | None = None) -> RedisIsolation:
        """Return the isolation of a Redis service: the named one, else the first.

        Raises:
            MissingServiceError: There is none.
            RealServicesError: It does not serve.
        """
        endpoint = self.services.endpoint("redis", name)
        with self._locks["redis", endpoint.name]:
            if endpoint.name not in self._redis:
                self._redis[endpoint.name] = self._make_redis(endpoint)
        return self._redis[endpoint.name]

    def make_redis(self, name: str | None = None) -> RedisIsolation:
        """Return one more isolation of a Redis service, with numbers of its own: for tests that run at the same time.

        Raises:
            IsolationError: There are no more numbers.
            RealServicesError: There is no such service, or it does not serve.
        """
        return self._make_redis(self.services.endpoint("redis", name))

    def clickhouse(self, name: str | None = None) -> ClickHouseIsolation:
        """Return the isolation of a ClickHouse service: the named one, else the first.

        Raises:
            MissingServiceError: There is none.
            RealServicesError: It does not serve.
        """
        endpoint = self.services.endpoint("clickhouse", name)
        with self._locks["clickhouse", endpoint.name]:
            if endpoint.name not in self._clickhouse:
                self._clickhouse[endpoint.name] = self._make_clickhouse(endpoint)
        return self._clickhouse[endpoint.name]

    def make_worker_database(self, worker: str, endpoint: Endpoint) -> str:
        """Make the database that programs of one worker of pytest-xdist have on a PostgreSQL; return its name.

        Raises:
            IsolationError: The server does not serve, or refuses it.
        """
        from realservices.kinds.postgres.isolation.worker_database import make_worker_database  # noqa: PLC0415 - asyncpg

        name = f"realservices_{worker}"
        self._background.run(make_worker_database(endpoint, name))
        return name

    async def close_loop(self) -> None:
        """Close what belongs to the running loop, before it ends."""
        for postgres in self._postgres.values():
            await postgres.close_loop()
        for redis in self._redis.values():
            await redis.close_loop()

    def findings(self) -> list[Finding]:
        """Return what tests have left that could not be undone, each once."""
        return [finding for postgres in self._postgres.values() for finding in postgres.findings()]

    def lock_waits(self) -> list[LockWait]:
        """Return the waits for locks that were ended since the last time."""
        return [wait for postgres in self._postgres.values() for wait in postgres.lock_waits()]

    def restore(self) -> None:
        """Bring back what a restarted service has forgotten."""
        for redis in self._redis.values():
            redis.restore()

    async def shut_down(self) -> None:
        """End this process's use of all services, and close what belongs to the running loop before that.

        Not where a plugin has made this manager: the session goes on.
        """
        await self.close_loop()
        if not self.is_the_plugins:
            self.close()

    def close(self) -> None:
        """End this process's use of all services. A forked child has none: it leaves its parent's as they are."""
        if not self.process.is_this:
            return
        if self in _process:
            _process.remove(self)
        if "servers" in self.__dict__:
            self.servers.close()
        self._close_shares()
        self._leave_others()
        self._background.stop()
        self.services.close()

    def _close_shares(self, *, drop: bool = False) -> None:
        """End what was made for tests; ``drop``: remove it also from servers that end with this session."""
        for postgres in self._postgres.values():
            postgres.close(drop=drop or not postgres.endpoint.disposable)
        for redis in self._redis.values():
            redis.close()
        for clickhouse in self._clickhouse.values():
            clickhouse.close(drop=drop or not clickhouse.endpoint.disposable)

    def _make_postgres(self, endpoint: Endpoint) -> PostgresIsolation:
        from realservices.kinds.postgres.isolation.isolation import PostgresIsolation  # noqa: PLC0415 - asyncpg takes 25 ms

        endpoint, owner = self._prepared(endpoint)
        ready = ReadyDatabases(endpoint, self.services.private)
        return PostgresIsolation(endpoint, self._background, ready, owner)

    def _prepared(self, endpoint: Endpoint) -> tuple[Endpoint, str]:
        """Return the endpoint with something to clone from, and what the clones' names begin with."""
        if endpoint.disposable:
            return endpoint, ""
        databases = self._databases_of(endpoint)
        return databases.prepare(), databases.owner

    def _make_redis(self, endpoint: Endpoint) -> RedisIsolation:
        from realservices.kinds.redis.isolation.isolation import RedisIsolation  # noqa: PLC0415 - redis takes 50 ms

        return RedisIsolation(endpoint, self.services.private)

    def _make_clickhouse(self, endpoint: Endpoint) -> ClickHouseIsolation:
        from realservices.kinds.clickhouse.isolation.isolation import ClickHouseIsolation  # noqa: PLC0415 - 15 ms
        from realservices.kinds.clickhouse.isolation.leftovers import Leftovers  # noqa: PLC0415 - as above

        # What declared servers make in it while a test runs is no leftover.
        is_tests_own = endpoint.disposable and endpoint.name not in self.servers.names
        leftovers = Leftovers(endpoint, self.services.private) if is_tests_own else None
        return ClickHouseIsolation(endpoint, ReadyDatabases(endpoint, self.services.private), leftovers)

    def _databases_of(self, endpoint: Endpoint) -> SessionDatabases:
        from realservices.kinds.postgres.isolation.session_databases import SessionDatabases  # noqa: PLC0415 - asyncpg takes 25 ms

        if endpoint.name not in self._others:
            fill = self.services.fills(endpoint)
            self._others[endpoint.name] = SessionDatabases(endpoint, self._background, self.services.private, fill)
        return self._others[endpoint.name]

    def _leave_others(self) -> None:
        """Remove what the session has left on servers of others, if it ends with this process."""
        if self.services.ends_session:
            for name in self.services.names("postgres"):
                # Made by whichever process of the session came first.
                if Path(self.services.private, f"{name}.databases").exists():
                    self._databases_of(self.services.endpoint("postgres", name)).remove()
        for databases in self._others.values():
            databases.close()


_process: list[IsolationManager] = []


def process_manager() -> IsolationManager:
    """Return this process's manager; where no plugin has made one, one that ends with the process.

    A forked child gets one of its own, with databases and database indexes that are not its parent's.
    """
    if not _process:
        plugins_session.begin()
    if not _process or not _process[0].process.is_this:
        _process[:] = [IsolationManager(find_services())]
        atexit.register(_close_at_exit, _process[0])
    return _process[0]


def set_plugins_manager(manager: IsolationManager) -> None:
    """Make a plugin's manager this process's, until it is closed."""
    manager.is_the_plugins = True
    _process[:] = [manager]


def _close_at_exit(manager: IsolationManager) -> None:
    if manager in _process:
        manager.close()
