"""What the fixture `cloned_database` gives: a database of a test's own, for code that opens its connections itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.isolation.blocking import Blocking

if TYPE_CHECKING:
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.postgres.clones import Clone


class ClonedDatabase:
    """A database of a test's own, gone after it.

    Attributes:
        name: The database's name.
        url: Its URL for code under test: over TCP, with the password.
        connect_kwargs: Arguments for `asyncpg.connect`, over the unix socket.
    """

    def __init__(self, clone: Clone, background: BackgroundLoop) -> None:
        self.name = clone.name
        self.url = clone.url
        self.connect_kwargs = clone.connect_kwargs
        self.host, self.port = clone.endpoint.host, clone.endpoint.port
        self.user, self.password = clone.endpoint.user, clone.endpoint.password
        self._background = background
        self._connections: list[asyncpg.Connection] = []
        self._blocking: list[asyncpg.Connection] = []

    async def connect(self, **arguments: Any) -> asyncpg.Connection:
        """Connect to it; ``arguments`` are those of `asyncpg.connect`. The test need not close the connection."""
        connection: asyncpg.Connection = await asyncpg.connect(**{**self.connect_kwargs, **arguments})
        self._connections.append(connection)
        return connection

    def connect_sync(self, **arguments: Any) -> Any:
        """Connect to it with a blocking connection that has the methods of `asyncpg.Connection`.

        A forked child may do so, too; what the parent has made is the parent's.
        """
        background = self._background.of_this_process()
        connection = background.run(_connect({**self.connect_kwargs, **arguments}))
        self._blocking.append(connection)
        return Blocking(connection, background)

    def abandon(self) -> None:
        """End the connections that the test left open. Their database is about to be dropped."""
        with contextlib.suppress(RuntimeError):  # Their loop is closed, and they with it.
            _terminate(self._connections)
        if self._blocking:
            self._background.run(_terminate_here(self._blocking))

    def __repr__(self) -> str:
        return f"<ClonedDatabase {self.name} at {self.host}:{self.port}>"


async def _connect(arguments: dict[str, Any]) -> asyncpg.Connection:
    return await asyncpg.connect(**arguments)


def _terminate(connections: list[asyncpg.Connection]) -> None:
    while connections:
        connections.pop().terminate()


async def _terminate_here(connections: list[asyncpg.Connection]) -> None:
    _terminate(connections)
