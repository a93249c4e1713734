"""A PostgreSQL that servers of the project's own use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationBrokenError
from realservices.isolation.servers_store import ServersStore
from realservices.kinds.postgres.isolation.restore.servers_database import ServersDatabase

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop


class PostgresStore(ServersStore):
    """See `ServersStore`."""

    def __init__(self, endpoint: Endpoint, background: BackgroundLoop, directory: str) -> None:
        self._background = background
        self._database = ServersDatabase(endpoint, directory)

    def take(self) -> None:
        self._background.run(self._database.begin())

    def resume(self) -> None:
        if self._database.is_cut_off:
            self._background.run(self._database.resume())

    def restore(self) -> None:
        self._background.run(self._restore())

    def close(self) -> None:
        self._background.run(self._database.close())

    async def _restore(self) -> None:
        try:
            await self._database.restore()
        except IsolationBrokenError:
            await self._database.replace()
            raise
