"""A ClickHouse that servers of the project's own use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.isolation.servers_store import ServersStore
from realservices.kinds.clickhouse.isolation.snapshot import ClickHouseSnapshot

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


class ClickHouseStore(ServersStore):
    """See `ServersStore`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._snapshot = ClickHouseSnapshot(endpoint)

    def take(self) -> None:
        self._snapshot.take()

    def restore(self) -> None:
        self._snapshot.restore()

    def close(self) -> None:
        self._snapshot.close()
