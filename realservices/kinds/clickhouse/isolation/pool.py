"""Databases made ahead of the tests that use them, and made anew or dropped behind them, by threads of their own."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationError
from realservices.kinds.clickhouse.isolation.changes import read_unfiled
from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection, flush_inserts
from realservices.kinds.clickhouse.isolation.database_files import with_files
from realservices.kinds.clickhouse.isolation.plan import ClickHousePlan, make_database, plan_of
from realservices.kinds.clickhouse.isolation.recycling import recycle
from realservices.kinds.clickhouse.isolation.state import read_state
from realservices.kinds.clickhouse.sql import quote_name

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.isolation.ready_databases import ReadyDatabases
    from realservices.kinds.clickhouse.isolation.changes import Rows
    from realservices.kinds.clickhouse.isolation.state import DatabaseState

# One is in use, one or two are being brought back, and one is there. More only take the server's time.
_READY = 4
_MAKERS = 2
_TIMEOUT_S = 60.0


@dataclass(eq=False)
class _Returned:
    """A database that a test has given back, and what the server has told of it since."""

    name: str
    unfiled: Rows | None = None


class DatabasePool:
    """The databases of one process on one service.

    Args:
        endpoint: The service.
        ready: Databases that the template brings along, used first.
    """

    def __init__(self, endpoint: Endpoint, ready: ReadyDatabases) -> None:
        self._endpoint = endpoint
        self._ready_made = ready
        # Unique among all processes that may share the server.
        self._prefix = f"realservices_{os.getpid()}_{secrets.token_hex(4)}"
        self._count = 0
        self._expected = 0
        self._taken = 0
        self._ready: deque[Future[str]] = deque()
        # They wait for a maker.
        self._returned: deque[_Returned] = deque()
        self._plan: ClickHousePlan | None = None
        # Of databases that are in use or ready, as they were made.
        self._states: dict[str, DatabaseState] = {}
        self._lock = threading.Lock()
        self._of_thread = threading.local()
        self._connections: list[ClickHouseConnection] = []
        self._makers = ThreadPoolExecutor(_MAKERS, thread_name_prefix="realservices-clickhouse")
        self._dropper = ThreadPoolExecutor(1, thread_name_prefix="realservices-clickhouse-drop")

    def expect(self, count: int) -> None:
        """Make databases ahead for ``count`` more uses. Errors surface in the test that needs one."""
        with self._lock:
            self._expected += count
            self._make_ahead()

    def take(self) -> str:
        """Return the name of a database that is as the schema and the seeds made it.

        Raises:
            IsolationError: It cannot be made.
        """
        with self._lock:
            ahead = self._ready.popleft() if self._ready else self._makers.submit(self._make)
            self._expected = max(0, self._expected - 1)
            self._taken += 1
            self._make_ahead()
        try:
            with contextlib.suppress(IsolationError):  # Made ahead while a test had the server down.
                return ahead.result(_TIMEOUT_S)
            return self._makers.submit(self._make).result(_TIMEOUT_S)
        except BaseException:
            with self._lock:
                self._taken -= 1  # Nothing was claimed that could be released.
            raise

    def give_back(self, name: str) -> None:
        """Use a database again or drop it, behind the tests."""
        with self._lock:
            self._taken -= 1
            if self._expected > len(self._ready):
                returned = _Returned(name)
                self._returned.append(returned)
                self._ready.append(self._makers.submit(self._make_again, returned))
                return
        self._dropper.submit(self._drop, name)

    def close(self, *, drop: bool) -> None:
        """Disconnect; ``drop``: remove what is left first, because the server goes on."""
        with self._lock:
            self._expected = 0
        for ahead in self._ready:
            if not ahead.cancel() and drop:
                with contextlib.suppress(IsolationError):
                    self.give_back(ahead.result(_TIMEOUT_S))
        self._makers.shutdown(wait=True, cancel_futures=True)
        # What is made again may still have handed something over.
        self._dropper.shutdown(wait=True, cancel_futures=not drop)
        for connection in self._connections:
            connection.close()

    def _make_ahead(self) -> None:
        # What a test has now comes back.
        while len(self._ready) + self._taken < min(_READY, self._expected + self._taken):
            self._ready.append(self._makers.submit(self._make))

    def _make(self) -> str:
        connection = self._connection()
        plan = self._plan = self._plan or plan_of(self._endpoint, connection)
        ready = self._ready_made.take()
        if ready is not None:
            self._states[ready] = with_files(plan.ready[ready], plan.data, ready)
            return ready
        with self._lock:
            self._count += 1
            name = f"{self._prefix}_{self._count}"
        make_database(connection, plan, name)
        self._states[name] = with_files(read_state(connection, name), plan.data, name)
        return name

    def _make_again(self, returned: _Returned) -> str:
        name = returned.name
        state = self._states.pop(name)
        with contextlib.suppress(IsolationError):  # A server that was stopped; the one made below tells if it still is.
            self._look(returned)
            if self._plan and self._endpoint.disposable:
                recycled = recycle(self._connection(), self._plan, name, state, returned.unfiled)
                if recycled is not None:
                    self._states[name] = recycled
                    return name
        self._dropper.submit(self._drop, name)
        return self._make()

    def _look(self, returned: _Returned) -> None:
        """Ask the server about a database that has come back, and about those that wait behind it."""
        with self._lock:
            self._returned.remove(returned)
            waiting = [returned, *self._returned]
        if returned.unfiled is None and self._plan and self._plan.data:
            connection = self._connection()
            flush_inserts(connection)
            told = read_unfiled(connection, [each.name for each in waiting])
            for each in waiting:
                each.unfiled = told[each.name]

    def _drop(self, name: str) -> None:
        self._states.pop(name, None)
        # The server may be stopped on purpose. A database that stays costs space, not isolation.
        with contextlib.suppress(IsolationError):
            self._connection().run(f"DROP DATABASE IF EXISTS {quote_name(name)}")

    def _connection(self) -> ClickHouseConnection:
        connection: ClickHouseConnection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = ClickHouseConnection(self._endpoint)
            self._connections.append(connection)
        return connection
