"""What the ClickHouse fixtures give: a database of a test's own, made when the test first touches it."""

from __future__ import annotations

import asyncio
import functools
import re
import threading
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from realservices.isolation.own_process import OwnProcess
from realservices.kinds.clickhouse.sql import quote_name, split_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from realservices.contract.runtime import Endpoint

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Whatever else a statement begins with, it gives no rows.
_WITH_ROWS = {"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK", "FROM", "VALUES"}


class ClickHouseDatabaseSync:
    """A database of a test's own, with the tables and rows of the service's schema; gone after the test.

    Nothing is made before it is first used. The account is the service's, so that a statement can name other databases;
    one that names none stays in this one.

    Attributes:
        host, http_port, tcp_port, user, password: Where and as whom code under test connects.

    Args:
        endpoint: The service.
        name: Returns the name of the database, making it if need be; called at the first use.
        shared_client: Returns the process's clickhouse-connect client, which has no database and no session.
    """

    def __init__(self, endpoint: Endpoint, name: Callable[[], str], shared_client: Callable[[], Any]) -> None:
        self.host, self.http_port, self.tcp_port = endpoint.host, endpoint.port, endpoint.ports["tcp"]
        self.user, self.password = endpoint.user, endpoint.password
        self._name = name
        self._shared_client = shared_client
        self._begin()

    @property
    def database(self) -> str:
        """The database's name."""
        return self._name()

    @property
    def url(self) -> str:
        """The URL for code under test: HTTP, with account and database."""
        account = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"http://{account}@{self.host}:{self.http_port}/{self.database}"

    def _begin(self) -> None:
        """Have nothing yet in this process. A forked child begins again: what there is belongs to its parent."""
        self._process = OwnProcess()
        self._session = uuid.uuid4().hex
        # A session runs one query at a time.
        self._lock = threading.Lock()
        self._clients: list[Any] = []

    @property
    def client(self) -> Any:
        """clickhouse-connect's own client of the database, with a session of its own. The test need not close it."""
        database = self._enter()
        with self._lock:
            if not self._clients:
                address = {"host": self.host, "port": self.http_port}
                account = {"username": self.user, "password": self.password}
                self._clients.append(make_client({**address, **account, "database": database}))
            return self._clients[0]

    def get_table_name(self, base: str) -> str:
        """Return a table's name with the database before it, for statements that run elsewhere or name both."""
        return f"{self.database}.{base if _PLAIN_NAME.match(base) else quote_name(base)}"

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> Any:
        """Run one statement in the database.

        Args:
            sql: The statement.
            parameters: As clickhouse-connect takes them: for ``{name:Type}``, filled in by the server, or ``%(name)s``.

        Returns:
            A list of tuples, with the types of clickhouse-connect; empty for a statement that gives no rows.
        """
        settings = {"database": self._enter(), "session_id": self._session}
        client = self._shared_client()
        statements = split_statements(sql)
        text = statements[0].text if len(statements) == 1 else sql
        has_rows = bool(statements and statements[0].words and statements[0].words[0] in _WITH_ROWS)
        with self._lock:
            if has_rows:
                return [tuple(row) for row in client.query(text, parameters, settings=settings).result_rows]
            client.command(text, parameters, settings=settings)
        return []

    def _enter(self) -> str:
        """Return the database's name, for a use in this process."""
        if not self._process.is_this:
            self._begin()
        return self.database

    def end(self) -> None:
        """Close the test's client."""
        while self._process.is_this and self._clients:
            self._clients.pop().close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.host}:{self.http_port}>"


class ClickHouseDatabase(ClickHouseDatabaseSync):
    """`ClickHouseDatabaseSync` for asynchronous tests: `execute` is a coroutine."""

    async def execute(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run one statement in the database, as `ClickHouseDatabaseSync.execute` does; the loop goes on meanwhile."""
        rows: list[tuple[Any, ...]] = await asyncio.to_thread(super().execute, sql, parameters)
        return rows

    @property
    def async_client(self) -> AwaitedClient:
        """`client` with coroutines for methods, which run in threads."""
        return AwaitedClient(lambda: self.client)


class AwaitedClient:
    """A clickhouse-connect client whose methods are coroutines. Awaiting it gives itself.

    Args:
        client: Returns the client.
    """

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def __await__(self) -> Generator[Any, Any, AwaitedClient]:
        yield from asyncio.to_thread(self._client).__await__()
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        value = getattr(self._client(), name)
        if not callable(value):
            return value

        @functools.wraps(value)
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await asyncio.to_thread(value, *args, **kwargs)

        return call


def make_client(arguments: dict[str, Any]) -> Any:
    """Return a clickhouse-connect client with connections of its own."""
    import clickhouse_connect  # noqa: PLC0415 - it takes 100 ms

    return clickhouse_connect.get_client(**arguments, dedicated_pool=True)
