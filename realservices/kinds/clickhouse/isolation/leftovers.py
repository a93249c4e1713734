"""What a test leaves in the whole server, removed after it: functions, databases, files and the like.

Whose something is the engine does not tell. So it is removed when no test of any process uses the server, if it has
come while tests did: what comes between two tests of a process belongs to programs, or to fixtures of a wider scope,
and is published as such to the other processes.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection
from realservices.kinds.clickhouse.isolation.server_objects import ServerObject, server_objects
from realservices.system.locks import SHARED, lock, try_lock, unlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from realservices.contract.runtime import Endpoint


class Leftovers:
    """One process's view of what tests leave in a server of the session's own.

    Args:
        endpoint: The service.
        directory: What all processes that share it share.
    """

    def __init__(self, endpoint: Endpoint, directory: str) -> None:
        self._endpoint = endpoint
        self._connection = ClickHouseConnection(endpoint)
        self._path = f"{directory}/{endpoint.name}.clickhouse"
        self._descriptor = -1
        self._data: str | None = None
        self._before: Mapping[ServerObject, str] = {}
        # When the last test ended, None before the first one.
        self._last: Mapping[ServerObject, str] | None = None
        self._tests = 0
        # Tests of one process may run at the same time, too.
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Begin a test: what is there now is not its own.

        Raises:
            IsolationError: The server does not answer.
        """
        with self._lock:
            if not self._directory():
                return
            if not self._tests:
                lock(self._opened(), SHARED)  # Waits where another process removes something just now.
            try:
                if not self._tests:
                    self._before = server_objects(self._directory())
                    self._publish(each for each in self._before if each not in (self._last or ()))
            except BaseException:
                self._let_go()
                raise
            self._tests += 1

    def end(self) -> None:
        """End a test: remove what it has left, unless others run, whose it may be.

        Raises:
            IsolationBrokenError: A test has dropped what cannot be made anew.
            IsolationError: The server does not answer, or refuses. The next test that ends tries again.
        """
        with self._lock:
            if not self._directory():
                return
            self._tests -= 1
            if self._tests:
                return
            try:
                if try_lock(self._opened()):
                    self._restore()
            finally:
                self._last = server_objects(self._directory())
                self._let_go()

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()
        if self._descriptor >= 0:
            self._let_go()
            os.close(self._descriptor)
            self._descriptor = -1

    def _restore(self) -> None:
        before, now = self._before, server_objects(self._directory())
        known = self._published() if now else ()
        made = [each for each in now if each not in known]
        other = [each for each, statement in before.items() if now.get(each) != statement]
        lost = [each for each in other if not before[each]]
        self._drop([*made, *(each for each in other if each in now)])
        for each in other:
            if before[each]:
                self._connection.run(before[each])
        if lost:
            raise IsolationBrokenError(
                f"a test has dropped {', '.join(map(str, lost))} of ClickHouse service {self._endpoint.name!r} "
                f"({self._endpoint.label}), which was there before it, and cannot be made anew; later tests do "
                "without. A test may drop what it has made, and what is in isolated_clickhouse"
            )

    def _drop(self, waiting: list[ServerObject]) -> None:
        """Drop everything; what others depend on comes after them."""
        while waiting:
            refused: list[ServerObject] = []
            for each in waiting:
                if each.kind == "FILE":
                    Path(each.name).unlink(missing_ok=True)
                    continue
                try:
                    for statement in each.drop_statements:
                        self._connection.run(statement)
                except IsolationError:
                    if each is waiting[-1] and len(refused) == len(waiting) - 1:
                        raise  # Not one of them could be dropped.
                    refused.append(each)
            waiting = refused

    def _directory(self) -> str:
        """Return the server's data directory; "" where this process cannot see it."""
        if self._data is None:
            data = self._connection.run("SELECT path FROM system.disks WHERE name = 'default'").strip()
            self._data = data if os.access(f"{data}/metadata", os.R_OK | os.X_OK) else ""
        return self._data

    def _opened(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def _let_go(self) -> None:
        if self._descriptor >= 0 and not self._tests:
            unlock(self._descriptor)

    def _publish(self, found: Iterable[ServerObject]) -> None:
        """Tell all processes what no test has left."""
        lines = "".join(f"{json.dumps(each)}\n" for each in found)
        if lines:
            os.write(self._descriptor, lines.encode())

    def _published(self) -> set[ServerObject]:
        content = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        return {ServerObject(*json.loads(line)) for line in content.splitlines()}
