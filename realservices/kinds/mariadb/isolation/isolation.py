"""MariaDB, isolated: a transaction that is rolled back, or a database of the test's own."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from realservices.isolation.errors import IsolationError
from realservices.isolation.own_process import OwnProcess
from realservices.isolation.service_isolation import ServiceIsolation
from realservices.kinds.mariadb.isolation.database import MariaDBDatabase, database_of
from realservices.kinds.mariadb.isolation.leftovers import Leftovers
from realservices.kinds.mariadb.isolation.own_copy import OwnCopy
from realservices.kinds.mariadb.isolation.session import ServerSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.mariadb.isolation.connection import IsolatedConnection

_IN_CHILD = "In the child make a connection of its own, by cloned_mariadb.url"


class MariaDBIsolation(ServiceIsolation):
    """What one process uses of one MariaDB service.

    Attributes:
        endpoint: The service.

    Args:
        endpoint: The service.
        directory: Of the session.
        is_tests_own: Whether what comes in the server while tests run is theirs, and is undone.
    """

    def __init__(self, endpoint: Endpoint, directory: str, *, is_tests_own: bool = False) -> None:
        self.endpoint = endpoint
        self._session = ServerSession(endpoint, directory)
        self._leftovers = Leftovers(self._session, directory) if is_tests_own else None
        self._own = OwnCopy(self._session)
        self._process = OwnProcess()
        self._lock = threading.Lock()
        self._transactions = 0
        self._is_in_use = False

    @contextlib.asynccontextmanager
    async def transaction(self, **arguments: Any) -> AsyncIterator[Any]:
        """Give a connection of asyncmy within a transaction that is rolled back.

        Args:
            arguments: Further ones for the connection.

        Raises:
            IsolationError: Another test of this process has one, or the server refuses.
        """
        self._process.require("isolated_mariadb", _IN_CHILD)
        connection_type = _connection_type()
        with self._watched(), self._turn():
            database = database_of(self.endpoint, self._own.name())
            connection = connection_type(**database.parameters, **arguments)
            try:
                await connection.connect()
                self._transactions += 1
                await connection.begin_test(f"{self._session.owner}_{self._transactions}")
                yield connection
            finally:
                await self._end(connection)

    async def _end(self, connection: IsolatedConnection) -> None:
        is_undone = False
        try:
            is_undone = await connection.end_test()
        finally:
            if is_undone:
                await connection.ensure_closed()
                self._own.restore()
            else:
                connection.close()
                self._own.drop()

    @contextlib.contextmanager
    def database(self) -> Iterator[MariaDBDatabase]:
        """Give a database of its own for the time of a ``with`` block.

        Raises:
            IsolationError: The server refuses.
        """
        self._process.require("cloned_mariadb", _IN_CHILD)
        with self._watched():
            name = self._session.make_database()
            try:
                yield database_of(self.endpoint, name)
            finally:
                if self._process.is_this:
                    self._session.drop_database(name)

    def service_database(self) -> MariaDBDatabase:
        """Return the database that programs have by the service's URL; `server_state` restores it."""
        return MariaDBDatabase(self.endpoint)

    def close(self, *, drop: bool) -> None:
        """End the process's use of the service; ``drop``: remove every database, because the server goes on."""
        if self._process.is_this:
            self._session.close(drop=drop)

    def _watched(self) -> contextlib.AbstractContextManager[None]:
        return self._leftovers.watched() if self._leftovers else contextlib.nullcontext()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        with self._lock:
            if self._is_in_use:
                raise IsolationError(
                    f"a test of this process has a transaction in MariaDB service {self.endpoint.name!r} "
                    f"({self.endpoint.label}) open already, and there is one at a time: end it first, or take "
                    "cloned_mariadb"
                )
            self._is_in_use = True
        try:
            yield
        finally:
            self._is_in_use = False


def _connection_type() -> type[IsolatedConnection]:
    try:
        from realservices.kinds.mariadb.isolation.connection import IsolatedConnection  # noqa: PLC0415 - takes 50 ms
    except ModuleNotFoundError as error:
        raise IsolationError(
            f"isolated_mariadb is a connection of asyncmy, and there is no module {error.name!r}: run `pip install "
            "asyncmy` (with Bazel, put it into the test's deps), or take cloned_mariadb with the driver that you have"
        ) from None
    return IsolatedConnection
