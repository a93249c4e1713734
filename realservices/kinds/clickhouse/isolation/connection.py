"""Administrative queries to a ClickHouse service over one kept HTTP connection.

By the standard library's client: clickhouse-connect takes 100 ms to import, which only a test that reads rows must pay.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from realservices.isolation.errors import IsolationError

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint

_TIMEOUT_S = 60.0


class ClickHouseConnection:
    """One connection, for one thread at a time. It connects at the first query, and again where the server went away.

    Attributes:
        has_insert_queue: As far as is known, the server inserts asynchronously where it is asked to.

    Args:
        endpoint: The service.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection: http.client.HTTPConnection | None = None
        self.has_insert_queue = True

    def run(self, sql: str, **parameters: str) -> str:
        """Run one query and return its result as text.

        Args:
            sql: The query.
            parameters: Of the URL: ``database``, ``session_id``, or settings by name.

        Raises:
            IsolationError: The server refused the query, or does not answer.
        """
        try:
            status, text = self._exchange(sql, parameters)
        except (OSError, http.client.HTTPException) as error:
            service = self._endpoint
            raise IsolationError(
                f"ClickHouse service {service.name!r} ({service.label}) at {service.host}:{service.port} does not "
                f"answer: {type(error).__name__}: {error}; its log is {service.log or 'not known'}"
            ) from error
        if status != http.client.OK:
            raise IsolationError(f"ClickHouse service {self._endpoint.name!r} refused: {sql}\n  {text.strip()}")
        return text

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, sql: str, parameters: dict[str, str]) -> tuple[int, str]:
        for is_last in (self._connection is None, True):
            if self._connection is None:
                self._connection = http.client.HTTPConnection(
                    self._endpoint.host, self._endpoint.port, timeout=_TIMEOUT_S
                )
            try:
                self._connection.request("POST", "/?" + urlencode(parameters), sql.encode(), self._headers())
                answer = self._connection.getresponse()
                return answer.status, answer.read().decode(errors="replace")
            except (OSError, http.client.HTTPException):
                self.close()
                if is_last:
                    raise
                # A kept connection of a server that was restarted since, or closed it: once more over a new one.
        raise AssertionError("unreachable")

    def _headers(self) -> dict[str, str]:
        return {"X-ClickHouse-User": self._endpoint.user, "X-ClickHouse-Key": self._endpoint.password}


def flush_inserts(connection: ClickHouseConnection) -> None:
    """Have the server write what it was given by asynchronous inserts."""
    if not connection.has_insert_queue:
        return
    try:
        connection.run("SYSTEM FLUSH ASYNC INSERT QUEUE")
    except IsolationError as error:
        if "not initialized" not in str(error):
            raise
        connection.has_insert_queue = False  # The engine as a library has none: it inserts at once.
