"""What a test leaves in the whole server, undone after it: functions, databases, files and the like."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.isolation.server_leftovers import ServerLeftovers
from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection
from realservices.kinds.clickhouse.isolation.database_files import data_directory
from realservices.kinds.clickhouse.isolation.server_objects import ServerObject, server_objects

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.isolation.server_leftovers import State


class Leftovers(ServerLeftovers):
    """See `ServerLeftovers`. Where this process cannot see the server's files, there is nothing to it.

    Args:
        endpoint: The service, a server of the session's own.
        directory: What all processes that share it share.
    """

    def __init__(self, endpoint: Endpoint, directory: str) -> None:
        super().__init__(f"{directory}/{endpoint.name}.clickhouse")
        self._endpoint = endpoint
        self._connection = ClickHouseConnection(endpoint)
        self._data: str | None = None

    def look(self) -> State:
        """See `ServerLeftovers`."""
        if self._data is None:
            self._data = data_directory(self._connection)
        return {each.key: statement for each, statement in server_objects(self._data).items()} if self._data else {}

    def undo(self, before: State, now: State) -> None:
        """See `ServerLeftovers`."""
        changed = [key for key, statement in before.items() if now.get(key) != statement]
        # In the order of `now`, in which they can be dropped.
        self._drop([ServerObject.of_key(key) for key in now if key not in before or key in changed])
        for key in changed:
            if before[key]:
                self._connection.run(before[key])
        if lost := [key for key in changed if not before[key]]:
            self.note_gone(lost)
            raise IsolationBrokenError(
                f"a test has dropped {', '.join(str(ServerObject.of_key(key)) for key in lost)} of ClickHouse service "
                f"{self._endpoint.name!r} ({self._endpoint.label}), which was there before it, and cannot be made "
                "anew; later tests do without. A test may drop what it has made, and what is in isolated_clickhouse"
            )

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def _drop(self, waiting: list[ServerObject]) -> None:
        """Drop everything; what others depend on comes after them."""
        while waiting:
            refused: list[ServerObject] = []
            for each in waiting:
                try:
                    self._drop_one(each)
                except IsolationError:
                    if each is waiting[-1] and len(refused) == len(waiting) - 1:
                        raise  # Not one of them could be dropped.
                    refused.append(each)
            waiting = refused

    def _drop_one(self, dropped: ServerObject) -> None:
        if dropped.kind == "FILE":
            Path(dropped.name).unlink(missing_ok=True)
        elif dropped.kind == "FROZEN":
            shutil.rmtree(dropped.name, ignore_errors=True)
        else:
            for statement in dropped.drop_statements:
                self._connection.run(statement)
