"""Makes clones of a service's template database, over connections of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from typing import TYPE_CHECKING

import asyncpg

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.databases import HAS_PROPERTIES, copy_database, copy_properties
from realservices.kinds.postgres.isolation.administration import Administration
from realservices.kinds.postgres.isolation.clone import Clone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.ready_databases import ReadyDatabases


class CloneMaker:
    """Makes as many clones at a time as it has connections.

    Attributes:
        prefix: What the names of clones begin with: unique among all processes that may share the server, and readable
            in pg_stat_activity.
        connections: How it makes them.
        on_made: Called with how many seconds one took.

    Args:
        endpoint: The service; its `template_database` is what is cloned.
        ready: Clones that are there already, given out first.
        owner: What begins their names and what connections are called, where others must know whose they are.
        connections: How many clones to make at the same time.
    """

    def __init__(self, endpoint: Endpoint, ready: ReadyDatabases, owner: str = "", *, connections: int = 1) -> None:
        self._endpoint = endpoint
        self._ready_made = ready
        self.prefix = f"{owner or 'realservices'}_{os.getpid()}_{secrets.token_hex(4)}"
        self.connections = [Administration(endpoint, owner) for _ in range(connections)]
        self._idle = list(self.connections)
        self._may_make = asyncio.Semaphore(connections)
        self._count = 0
        self._has_properties: bool | None = None
        self.on_made: Callable[[float], None] = lambda _: None

    def next_name(self) -> str:
        """Return a name that no database has."""
        self._count += 1
        return f"{self.prefix}_{self._count}"

    async def make(self) -> Clone:
        """Return a clone, one that is there already where there is one.

        Raises:
            IsolationError: The server does not answer, or refuses.
        """
        with self.explained():
            ready = self._ready_made.take()
            if ready is not None:
                return Clone(self._endpoint, ready)
            async with self._may_make:
                connection = self._idle.pop()
                begin = time.monotonic()
                try:
                    clone = await self._make(connection)
                finally:
                    self._idle.append(connection)
                self.on_made(time.monotonic() - begin)
                return clone

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Say of a server's errors what could not be done."""
        try:
            yield
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            service = self._endpoint
            raise IsolationError(
                f"cannot clone template database {service.template_database!r} of service {service.name!r} "
                f"({service.label}) at {service.host}:{service.port}: {type(error).__name__}: {error}; "
                f"the service's log is {service.log or 'not known'}"
            ) from error

    async def close(self, *, finish: bool) -> None:
        """Disconnect; ``finish``: after what was asked for."""
        for connection in self.connections:
            await connection.close(finish=finish)

    async def _make(self, connection: Administration) -> Clone:
        clone = Clone(self._endpoint, self.next_name())
        template = self._endpoint.template_database
        await connection.execute(copy_database(template, clone.name, self._endpoint.server_version_num))
        if self._has_properties is None:
            ((self._has_properties,),) = await connection.fetch(HAS_PROPERTIES, template)
        if self._has_properties:
            await connection.execute(copy_properties(template, clone.name))
        return clone
