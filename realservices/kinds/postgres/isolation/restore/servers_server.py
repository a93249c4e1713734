"""The server as a whole, of which the servers of a test have one database: what they have done to it is undone, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.databases import PRISTINE_DATABASE
from realservices.kinds.postgres.isolation.restore.cluster import ClusterState
from realservices.kinds.postgres.isolation.restore.turns import ServerTurns

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint
    from realservices.kinds.postgres.isolation.administration import Administration
    from realservices.kinds.postgres.isolation.restore.written import WriteAheadLog, Written


class ServersServer:
    """One service, where its log can be read: without, it would have to be asked for everything after each test.

    Args:
        endpoint: The service.
        administration: To it.
        directory: Where processes take turns on it; empty: there is one.
    """

    def __init__(self, endpoint: Endpoint, administration: Administration, directory: str) -> None:
        self._endpoint = endpoint
        self._turns = ServerTurns(f"{directory}/{endpoint.name}" if directory else "")
        self._cluster = ClusterState(administration)
        self._has_begun = False
        self._is_suspect = False
        self._signs = ""

    async def begin(self, log: WriteAheadLog, database: int) -> None:
        """Remember the present as what is restored."""
        await self._cluster.take(PRISTINE_DATABASE)
        self._signs = await log.signs(database)
        self._has_begun, self._is_suspect = True, False

    def look(self, written: Written) -> None:
        """Look whether what the log says may be of the server as a whole."""
        self._is_suspect |= written.is_shared or written.signs != self._signs
        self._signs = written.signs

    async def restore(self) -> None:
        """Undo what was done, if anything may have been.

        Where tests of other processes, or of this one, use the server meanwhile, that is left to the next time.

        Raises:
            IsolationError: Something cannot be undone.
        """
        if not self._is_suspect:
            return
        async with self._turns.alone_soon() as is_alone:
            left = await self._cluster.restore(None) if is_alone else []
        self._is_suspect = not is_alone
        if left:
            raise IsolationError(
                f"a test, or a server on its behalf, has left in service {self._endpoint.name!r} "
                f"({self._endpoint.label}), for all databases of it: {', '.join(left)}. That could not be undone. Undo "
                "it in the test, or have the service declare it (migrations, settings)"
            )

    async def restore_without_database(self) -> None:
        """Undo what can be, while the servers' database is not there: it is made anew, and would count as left."""
        if self._has_begun:
            await self._cluster.restore(None)

    def close(self) -> None:
        """Have no turn any more."""
        self._turns.close()
