"""How tests share a MariaDB. Its modules are left to those who use them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

from realservices.isolation.checked_out import CheckedOut, fields
from realservices.isolation.errors import IsolationError
from realservices.isolation.isolated_kind import IsolatedKind
from realservices.isolation.shares import Shares
from realservices.kinds.mariadb.kind import KIND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.isolation_manager import IsolationManager
    from realservices.isolation.servers_store import ServersStore
    from realservices.isolation.test_environment import TestEnvironment
    from realservices.kinds.mariadb.isolation.isolation import MariaDBIsolation


class _MariaDB(IsolatedKind):
    def isolation(self, manager: IsolationManager, endpoint: Endpoint) -> MariaDBIsolation:
        from realservices.kinds.mariadb.isolation.isolation import MariaDBIsolation  # noqa: PLC0415 - see above

        is_tests_own = manager.is_tests_own(endpoint)
        return MariaDBIsolation(endpoint, manager.services.private, is_tests_own=is_tests_own)

    def shares(self, environment: TestEnvironment) -> Shares:
        return _Shares(environment)

    def servers_store(self, endpoint: Endpoint, background: BackgroundLoop, directory: str) -> ServersStore:
        from realservices.kinds.mariadb.isolation.servers_store import MariaDBStore  # noqa: PLC0415 - see above

        return MariaDBStore(endpoint, directory)

    def checked_out(self, manager: IsolationManager) -> CheckedOut:
        return _CheckedOut(manager)

    def worker_database(self, manager: IsolationManager, endpoint: Endpoint, worker: str) -> str:
        from realservices.kinds.mariadb.blueprint import UncopiableError  # noqa: PLC0415 - see above
        from realservices.kinds.mariadb.isolation.session import ServerSession  # noqa: PLC0415

        session = ServerSession(endpoint, manager.services.private)
        try:
            return session.make_database()
        except IsolationError as error:
            if isinstance(error.__cause__, UncopiableError):
                return ""
            raise
        finally:
            session.close(drop=False)  # The database ends with the server.


class _Shares(Shares):
    """What an environment has of MariaDB: a database with real commits."""

    def make(self, resource: str, name: str | None) -> Any:
        mariadb = mariadb_of(self.environment.manager, name)
        if self.is_servers(mariadb):
            return mariadb.service_database()
        return self.environment.stack.enter_context(mariadb.database())


class _CheckedOut(CheckedOut):
    """A database for each test."""

    @contextlib.contextmanager
    def take(self, service: str, test: str) -> Iterator[dict[str, Any]]:
        isolation = mariadb_of(self.manager, service)
        with isolation.database() as database:
            yield fields(isolation.endpoint, database=database.name, url=database.url)


def mariadb_of(manager: IsolationManager, name: str | None = None) -> MariaDBIsolation:
    """Return the isolation of a MariaDB service: the named one, else the first.

    Raises:
        MissingServiceError: There is none.
        RealServicesError: It does not serve.
    """
    return cast("MariaDBIsolation", manager.isolation_of(KIND.name, name))


ISOLATED = _MariaDB()
