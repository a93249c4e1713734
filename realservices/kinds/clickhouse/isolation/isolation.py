"""ClickHouse, isolated: a database per test, with the tables and rows of the service's schema.

Databases are made ahead of the tests; behind a test, its database is brought back to what it was or dropped. A test
that never touches its database does not take one.

The engine has no users that come and go, so every test has the service's account: what keeps tests apart is that
statements without a database's name go to their own.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from realservices.isolation.errors import ended
from realservices.isolation.own_process import OwnProcess
from realservices.isolation.service_isolation import ServiceIsolation
from realservices.kinds.clickhouse.isolation.database import ClickHouseDatabase, ClickHouseDatabaseSync, make_client
from realservices.kinds.clickhouse.isolation.pool import DatabasePool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.ready_databases import ReadyDatabases
    from realservices.kinds.clickhouse.isolation.leftovers import Leftovers

D = TypeVar("D", bound=ClickHouseDatabaseSync)


class ClickHouseIsolation(ServiceIsolation):
    """What one process uses of one ClickHouse service.

    Attributes:
        endpoint: The service.

    Args:
        endpoint: The service.
        ready: Databases that the template brings along.
        leftovers: Removes what tests leave in the whole server, where that may be.
    """

    def __init__(self, endpoint: Endpoint, ready: ReadyDatabases, leftovers: Leftovers | None = None) -> None:
        self.endpoint = endpoint
        self._leftovers = leftovers
        self._pool = DatabasePool(endpoint, ready)
        self._process = OwnProcess()
        self._client: Any = None
        self._lock = threading.Lock()

    def expect(self, count: int) -> None:
        """Prepare for ``count`` uses to come."""
        self._pool.expect(count)
        threading.Thread(target=self._prepare_client, name="realservices-clickhouse-client", daemon=True).start()

    @contextlib.contextmanager
    def lease(self) -> Iterator[DatabaseLease]:
        """Give a database for the time of a ``with`` block, to be shared by what `of_lease` makes."""
        lease = DatabaseLease(self._pool, self._leftovers)
        try:
            yield lease
        finally:
            lease.end()

    def of_lease(self, kind: type[D], lease: DatabaseLease) -> D:
        """Return what a test gets of a lease: ``kind`` is asynchronous or blocking. Its user calls `end`."""
        return kind(self.endpoint, lease.name, self.shared_client)

    @contextlib.contextmanager
    def database(self) -> Iterator[ClickHouseDatabase]:
        """Give a database of its own for the time of a ``with`` block."""
        with self.lease() as lease:
            database = self.of_lease(ClickHouseDatabase, lease)
            try:
                yield database
            finally:
                database.end()

    @contextlib.contextmanager
    def service_database(self) -> Iterator[ClickHouseDatabase]:
        """Give the database that programs have by the service's URL; `server_state` puts it back."""
        name = str(self.endpoint.database)
        database = ClickHouseDatabase(self.endpoint, lambda: name, self.shared_client)
        try:
            yield database
        finally:
            database.end()

    def shared_client(self) -> Any:
        """Return this process's client: without a database and without a session, both of which queries name."""
        if not self._process.is_this:  # A forked child: the client is its parent's, and the lock may be held.
            self._process, self._client, self._lock = OwnProcess(), None, threading.Lock()
        with self._lock:
            if self._client is None:
                service = self.endpoint
                arguments = {"host": service.host, "port": service.port}
                account = {"username": service.user, "password": service.password}
                self._client = make_client({**arguments, **account, "autogenerate_session_id": False})
            return self._client

    def close(self, *, drop: bool) -> None:
        """End the process's use of the service; ``drop``: remove every database, because the server goes on."""
        self._pool.close(drop=drop)
        if self._leftovers is not None:
            self._leftovers.close()
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _prepare_client(self) -> None:
        # Whatever is wrong, the test that needs it meets it too.
        with contextlib.suppress(Exception):
            self.shared_client()


class DatabaseLease:
    """A test's database, taken when its name is first asked for.

    Args:
        pool: Where it comes from and goes back to.
        leftovers: Is told when the test begins to use the server, and when it ends.
    """

    def __init__(self, pool: DatabasePool, leftovers: Leftovers | None) -> None:
        self._pool = pool
        self._leftovers = leftovers
        self._name = ""
        self._has_ended = False
        self._lock = threading.Lock()
        self._process = OwnProcess()

    def name(self) -> str:
        """Return the database's name.

        Raises:
            IsolationError: It cannot be made, or the test has ended.
        """
        if self._has_ended:
            raise ended("isolated_clickhouse")
        if self._name:
            return self._name
        self._process.require(
            "isolated_clickhouse's database, which the test has not used yet,",
            "Use it before you fork (isolated_clickhouse_sync.database): then the child can use it, too",
        )
        with self._lock:
            if not self._name:
                name = self._pool.take()
                try:
                    if self._leftovers is not None:
                        self._leftovers.begin()
                except BaseException:
                    self._pool.give_back(name)
                    raise
                self._name = name
            return self._name

    def end(self) -> None:
        """Give the database back, if it was taken.

        Raises:
            IsolationError, IsolationBrokenError: What the test has left in the server cannot be removed.
        """
        self._has_ended = True
        if self._name and self._process.is_this:
            self._pool.give_back(self._name)
            if self._leftovers is not None:
                self._leftovers.end()
