"""How tests share a ClickHouse. Its modules take 15 ms to import, so that they are left to those who use them."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from realservices.isolation.checked_out import CheckedOut, fields
from realservices.isolation.expecting import soon
from realservices.isolation.isolated_kind import IsolatedKind
from realservices.isolation.ready_databases import ReadyDatabases
from realservices.isolation.shares import Shares
from realservices.kinds.clickhouse.kind import KIND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.isolation.servers_store import ServersStore
    from realservices.isolation.test_environment import TestEnvironment
    from realservices.kinds.clickhouse.isolation.isolation import ClickHouseIsolation

_FIXTURES = {"isolated_clickhouse", "isolated_clickhouse_sync"}


class _ClickHouse(IsolatedKind):
    def isolation(self, manager: IsolationManager, endpoint: Endpoint) -> ClickHouseIsolation:
        from realservices.kinds.clickhouse.isolation.isolation import ClickHouseIsolation  # noqa: PLC0415 - see above
        from realservices.kinds.clickhouse.isolation.leftovers import Leftovers  # noqa: PLC0415

        leftovers = Leftovers(endpoint, manager.services.private) if manager.is_tests_own(endpoint) else None
        return ClickHouseIsolation(endpoint, ReadyDatabases(endpoint, manager.services.private), leftovers)

    def shares(self, environment: TestEnvironment) -> Shares:
        return _Shares(environment)

    def servers_store(self, endpoint: Endpoint, background: BackgroundLoop, directory: str) -> ServersStore:
        from realservices.kinds.clickhouse.isolation.servers_store import ClickHouseStore  # noqa: PLC0415 - see above

        return ClickHouseStore(endpoint)

    def checked_out(self, manager: IsolationManager) -> CheckedOut:
        return _CheckedOut(manager)

    def worker_database(self, manager: IsolationManager, endpoint: Endpoint, worker: str) -> str:
        from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection  # noqa: PLC0415 - see above
        from realservices.kinds.clickhouse.isolation.plan import NoPlanError, make_database, plan_of  # noqa: PLC0415

        connection = ClickHouseConnection(endpoint)
        try:
            name = f"realservices_{worker}"
            make_database(connection, plan_of(endpoint, connection), name)
            return name
        except NoPlanError:
            return ""
        finally:
            connection.close()

    def expect(self, manager: IsolationManager, service: str, tests: Iterable[Collection[str]]) -> None:
        if databases := sum(not _FIXTURES.isdisjoint(names) for names in tests):
            work = partial(_expect, manager, service, databases)
            soon(work, at_once=manager.services.is_launched(KIND.name))


class _Shares(Shares):
    """What an environment has of ClickHouse."""

    def make(self, resource: str, name: str | None) -> Any:
        clickhouse = clickhouse_of(self.environment.manager, name)
        database = clickhouse.service_database() if self.is_servers(clickhouse) else clickhouse.database()
        return self.environment.stack.enter_context(database)


class _CheckedOut(CheckedOut):
    """A database for each test."""

    @contextlib.contextmanager
    def take(self, service: str, test: str) -> Iterator[dict[str, Any]]:
        isolation = clickhouse_of(self.manager, service)
        with isolation.database() as database:
            yield fields(isolation.endpoint, database=database.database, url=database.url)


def clickhouse_of(manager: IsolationManager, name: str | None = None) -> ClickHouseIsolation:
    """Return the isolation of a ClickHouse service: the named one, else the first.

    Raises:
        MissingServiceError: There is none.
        RealServicesError: It does not serve.
    """
    return cast("ClickHouseIsolation", manager.isolation_of(KIND.name, name))


def _expect(manager: IsolationManager, service: str, databases: int) -> None:
    clickhouse_of(manager, service).expect(databases)


ISOLATED = _ClickHouse()
