"""Administrative queries to a ClickHouse service over one kept HTTP connection.

Not by clickhouse-connect, which takes 100 ms to import: only a test that reads rows must pay that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from realservices.isolation.errors import IsolationError
from realservices.kinds.clickhouse.isolation.kept_http import KeptHttp

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint

_TIMEOUT_S = 60.0
_OK = 200


class ClickHouseConnection:
    """One connection, for one thread at a time. It connects at the first query, and again where the server went away.

    Attributes:
        has_insert_queue: As far as is known, the server inserts asynchronously where it is asked to.

    Args:
        endpoint: The service.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        account = {"X-ClickHouse-User": endpoint.user, "X-ClickHouse-Key": endpoint.password}
        self._http = KeptHttp((endpoint.host, endpoint.port), account, timeout_s=_TIMEOUT_S)
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
        except (OSError, ValueError) as error:
            self._http.close()
            service = self._endpoint
            raise IsolationError(
                f"ClickHouse service {service.name!r} ({service.label}) at {service.host}:{service.port} does not "
                f"answer: {type(error).__name__}: {error}; its log is {service.log or 'not known'}"
            ) from error
        if status != _OK:
            raise IsolationError(f"ClickHouse service {self._endpoint.name!r} refused: {sql}\n  {text.strip()}")
        return text

    def close(self) -> None:
        """Disconnect."""
        self._http.close()

    def _exchange(self, sql: str, parameters: dict[str, str]) -> tuple[int, str]:
        path = "/?" + urlencode(parameters)
        was_connected = self._http.is_connected
        try:
            status, content = self._http.post(path, sql.encode())
        except (OSError, ValueError):
            self._http.close()
            if not was_connected:
                raise
            # A kept connection of a server that was restarted since, or closed it: once more over a new one.
            status, content = self._http.post(path, sql.encode())
        return status, content.decode(errors="replace")


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
