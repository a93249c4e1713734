"""Databases cloned from a service's template, made ahead of the tests that use them and dropped behind them.

All of it runs on the background loop with connections of its own; a test only waits where its clone is not ready yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import asyncpg

from realservices.isolation.errors import IsolationError
from realservices.isolation.postgres.administration import Administration, connect_kwargs, quote_identifier

if TYPE_CHECKING:
    from concurrent.futures import Future

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.ready_databases import ReadyDatabases

# One in use and two ready hide the 4-10 ms of a clone behind a test of a few milliseconds; more only take memory.
_READY = 2
# Before PostgreSQL 15, copying files was the only way.
_FIRST_WITH_STRATEGY = 150000


@dataclass(frozen=True, slots=True)
class Clone:
    """A database of its own on a service.

    Attributes:
        endpoint: The service.
        name: The database's name.
    """

    endpoint: Endpoint
    name: str

    @property
    def url(self) -> str:
        """The URL for programs: over TCP, with the password."""
        service = self.endpoint
        account = f"{quote(service.user, safe='')}:{quote(service.password, safe='')}"
        address = urlsplit(service.url)._replace(
            netloc=f"{account}@{service.host}:{service.port}", path=f"/{quote(self.name, safe='')}"
        )
        return address.geturl()

    @property
    def connect_kwargs(self) -> dict[str, Any]:
        """Arguments for `asyncpg.connect`: over the unix socket where there is one."""
        return connect_kwargs(self.endpoint, self.name)


class ClonePool:
    """Makes and drops clones for one process.

    Args:
        endpoint: The service; its `template_database` is what is cloned.
        background: Where the work is done.
        ready: Clones that are there already, used first.
        owner: What begins their names and what connections are called, where others must know whose they are.
    """

    def __init__(self, endpoint: Endpoint, background: BackgroundLoop, ready: ReadyDatabases, owner: str = "") -> None:
        self._endpoint = endpoint
        self._background = background
        self._ready_made = ready
        # Unique among all processes that may share the server, and readable in pg_stat_activity.
        self._prefix = f"{owner or 'realservices'}_{os.getpid()}_{secrets.token_hex(4)}"
        self._count = 0
        self._expected = 0
        self._ready: deque[asyncio.Task[Clone]] = deque()
        # Two, so that nobody who waits for a database waits for the end of another one.
        self._making = Administration(endpoint, owner)
        self._dropping = Administration(endpoint, owner)

    def expect(self, count: int) -> None:
        """Make clones ahead for ``count`` more uses. Errors surface in the test that needs a clone."""
        self._background.submit(self._expect(count))

    def take(self) -> Future[Clone]:
        """Return the future of a clone, one made ahead where there is one."""
        return self._background.submit(self._take())

    def make(self) -> Future[Clone]:
        """Return the future of a clone that nobody expected."""
        return self._background.submit(self._make())

    def give_back(self, clone: Clone) -> Future[None]:
        """Drop a clone, behind the tests. Nobody needs to wait for the future."""
        return self._background.submit(self._drop(clone))

    def close(self, *, drop: bool, timeout_s: float) -> None:
        """Disconnect; ``drop``: remove what was made ahead first, because the server goes on."""
        self._background.run(self._close(drop), timeout_s)

    async def _expect(self, count: int) -> None:
        self._expected += count
        self._make_ahead()

    async def _take(self) -> Clone:
        ahead = self._ready.popleft() if self._ready else asyncio.ensure_future(self._make())
        self._expected = max(0, self._expected - 1)
        self._make_ahead()
        try:
            return await ahead
        except IsolationError:  # Made ahead while a test had the server down.
            return await self._make()

    def _wanted(self) -> int:
        """Return how many clones should be ready."""
        return min(_READY, self._expected)

    def _maker(self) -> Administration:
        """Return the connection to make the next clone over."""
        return self._making

    def _make_ahead(self) -> None:
        while len(self._ready) < self._wanted():
            task = asyncio.ensure_future(self._make())
            # A test that never comes must not turn its failed clone into a complaint at exit.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._ready.append(task)

    async def _make(self) -> Clone:
        ready = self._ready_made.take()
        if ready is not None:
            return Clone(self._endpoint, ready)
        self._count += 1
        clone = Clone(self._endpoint, f"{self._prefix}_{self._count}")
        template = quote_identifier(self._endpoint.template_database)
        # FILE_COPY is twice as fast as the default for databases of this size, and fsync is off.
        strategy = "STRATEGY FILE_COPY" if self._endpoint.server_version_num >= _FIRST_WITH_STRATEGY else ""
        sql = f"CREATE DATABASE {quote_identifier(clone.name)} TEMPLATE {template} {strategy}"
        try:
            await self._maker().execute(sql)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            service = self._endpoint
            raise IsolationError(
                f"cannot clone template database {service.template_database!r} of service {service.name!r} "
                f"({service.label}) at {service.host}:{service.port}: {type(error).__name__}: {error}; "
                f"the service's log is {service.log or 'not known'}"
            ) from error
        return clone

    async def _drop(self, clone: Clone) -> None:
        try:
            await self._dropping.execute(f"DROP DATABASE IF EXISTS {quote_identifier(clone.name)} WITH (FORCE)")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            # The server may be stopped on purpose. A database that stays costs space, not isolation.
            return

    async def _close(self, drop: bool) -> None:
        self._expected = 0
        for task in self._ready if drop else ():
            with contextlib.suppress(IsolationError):
                await self._drop(await task)
        await self._making.close(finish=drop)
        await self._dropping.close(finish=drop)
