"""How tests share a PostgreSQL. asyncpg takes 25 ms to import, so that it is left to those who use it."""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from realservices.isolation.checked_out import CheckedOut, fields
from realservices.isolation.expecting import soon
from realservices.isolation.isolated_kind import IsolatedKind
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.kinds.postgres.drivers import DRIVERS
from realservices.kinds.postgres.kind import KIND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.isolation.servers_store import ServersStore
    from realservices.isolation.shares import Shares
    from realservices.isolation.test_environment import TestEnvironment
    from realservices.kinds.postgres.isolation.isolation import PostgresIsolation
    from realservices.kinds.postgres.isolation.session_databases import SessionDatabases

DRIVER_FIXTURES = {f"isolated_{key}" for key in DRIVERS}
"""Fixtures that are never in a transaction: each is a client of the test's database."""
ASYNCPG_FIXTURES = {"isolated_database", "isolated_database_sync"}
_CLONE_FIXTURES = {"cloned_database", "performance_test_environment"}
# One more is made while the first test has its own.
_FIRST = 2


class _Postgres(IsolatedKind):
    def isolation(self, manager: IsolationManager, endpoint: Endpoint) -> PostgresIsolation:
        from realservices.kinds.postgres.isolation.isolation import PostgresIsolation  # noqa: PLC0415 - see above

        endpoint, others = prepared(manager, endpoint)
        ready = ReadyDatabases(endpoint, manager.services.private)
        return PostgresIsolation(endpoint, manager.background, ready, others=others)

    def shares(self, environment: TestEnvironment) -> Shares:
        from realservices.kinds.postgres.isolation.shares import PostgresShares  # noqa: PLC0415 - for its users

        return PostgresShares(environment)

    def servers_store(self, endpoint: Endpoint, background: BackgroundLoop, directory: str) -> ServersStore:
        from realservices.kinds.postgres.isolation.servers_store import PostgresStore  # noqa: PLC0415 - see above

        return PostgresStore(endpoint, background, directory)

    def checked_out(self, manager: IsolationManager) -> CheckedOut:
        return _CheckedOut(manager)

    def expect(self, manager: IsolationManager, service: str, tests: Iterable[Collection[str]]) -> None:
        transactions = clones = 0
        for names in map(set, tests):
            has_clone = manager.isolation == "database" or has_several_clients(names)
            is_user = bool(names & (ASYNCPG_FIXTURES | DRIVER_FIXTURES))
            transactions += is_user and not has_clone
            clones += (is_user and has_clone) + bool(names & _CLONE_FIXTURES)
        if transactions or clones:
            manager.expect(KIND.name, service)
            work = partial(_expect, manager, service, transactions > 0, clones)
            soon(work, at_once=manager.services.is_launched(KIND.name))

    def worker_database(self, manager: IsolationManager, endpoint: Endpoint, worker: str) -> str:
        from realservices.kinds.postgres.isolation.worker_database import make_worker_database  # noqa: PLC0415 - see above

        name = f"realservices_{worker}"
        manager.background.run(make_worker_database(endpoint, name))
        return name

    async def ask(self, endpoint: Endpoint) -> None:
        import asyncpg  # noqa: PLC0415 - see above

        from realservices.kinds.postgres.isolation.administration import connect_kwargs  # noqa: PLC0415

        connection = await asyncpg.connect(**connect_kwargs(endpoint, str(endpoint.database)))
        await connection.execute("SELECT 1")
        await connection.close()

    def leave(self, manager: IsolationManager, name: str) -> None:
        # Made by whichever process of the session came first.
        if not Path(manager.services.private, f"{name}.databases").exists():
            return
        from realservices.kinds.postgres.isolation.session_databases import SessionDatabases  # noqa: PLC0415 - see above

        endpoint = manager.services.endpoint(KIND.name, name)
        databases = SessionDatabases(endpoint, manager.background, manager.services.private)
        databases.remove()
        databases.close()


class _CheckedOut(CheckedOut):
    """A clone of the template with real commits for each test."""

    def __init__(self, manager: IsolationManager) -> None:
        super().__init__(manager)
        self._expected: set[str] = set()
        self._lock = threading.Lock()

    def prepare(self, service: str) -> None:
        # Nobody knows how many tests there are: one more than there were.
        with self._lock:
            count = 1 if service in self._expected else _FIRST
            self._expected.add(service)
        postgres_of(self.manager, service).expect(transactions=False, databases=count)

    @contextlib.contextmanager
    def take(self, service: str, test: str) -> Iterator[dict[str, Any]]:
        self.prepare(service)
        isolation = postgres_of(self.manager, service)
        with isolation.cloned_database(test) as database:
            yield fields(isolation.endpoint, database=database.name, url=database.url)


def postgres_of(manager: IsolationManager, name: str | None = None) -> PostgresIsolation:
    """Return the isolation of a PostgreSQL service: the named one, else the first.

    Raises:
        MissingServiceError: There is none.
        RealServicesError: It does not serve.
    """
    return cast("PostgresIsolation", manager.isolation_of(KIND.name, name))


def prepared(manager: IsolationManager, endpoint: Endpoint) -> tuple[Endpoint, SessionDatabases | None]:
    """Return a service with something to clone from, and what the session has on it if it is external."""
    from realservices.kinds.postgres.isolation.session_databases import SessionDatabases  # noqa: PLC0415 - see above

    if endpoint.disposable:
        return endpoint, None
    others = SessionDatabases(endpoint, manager.background, manager.services.private, manager.services.fills(endpoint))
    try:
        return others.prepare(), others
    except BaseException:
        others.close()
        raise


def has_several_clients(fixtures: Collection[str]) -> bool:
    """Return whether a test with these fixtures has other clients of its database than one by asyncpg."""
    names = set(fixtures)
    return not names.isdisjoint(DRIVER_FIXTURES) or names >= ASYNCPG_FIXTURES


def _expect(manager: IsolationManager, service: str, transactions: bool, clones: int) -> None:
    postgres_of(manager, service).expect(transactions=transactions, databases=clones)


ISOLATED = _Postgres()
