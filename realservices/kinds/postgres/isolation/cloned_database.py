"""What the fixture `cloned_database` gives: a database of a test's own, for code that opens its connections itself."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.isolation.blocking import Blocking
from realservices.kinds.postgres.isolation.drivers.urls import url_for

if TYPE_CHECKING:
    from realservices.isolation.background import BackgroundLoop
    from realservices.isolation.errors import IsolationError
    from realservices.kinds.postgres.isolation.clone import Clone


class ClonedDatabase:
    """A database of a test's own, gone after it.

    Attributes:
        is_known: Code of the test may know how to connect to it, also when the test is over.
        end_error: Why there are no more connections to it; None: there are.
    """

    def __init__(self, clone: Clone, background: BackgroundLoop) -> None:
        self.is_known = False
        self.end_error: IsolationError | None = None
        self._clone = clone
        self._background = background
        self._connections: list[asyncpg.Connection] = []
        self._loops: set[asyncio.AbstractEventLoop] = set()
        self._blocking: list[asyncpg.Connection] = []

    @property
    def name(self) -> str:
        """The database's name."""
        self.is_known = True
        return self._clone.name

    @property
    def url(self) -> str:
        """Its URL for code under test: over TCP, with the password."""
        self._tell()
        return self._clone.url

    def url_for(self, scheme: str) -> str:
        """Return the same URL for a library that wants another scheme, ``postgresql+asyncpg`` for instance.

        Raises:
            IsolationError: The scheme is not known.
        """
        self._tell()
        return url_for(self._clone, scheme)

    def sqlalchemy_url(self, driver: str) -> str:
        """Return the same URL for an engine of SQLAlchemy's, by the driver's name: ``psycopg`` for instance.

        Raises:
            IsolationError: The driver is not known.
        """
        return self.url_for(f"postgresql+{driver}")

    @property
    def connect_kwargs(self) -> dict[str, Any]:
        """Arguments for `asyncpg.connect`, over the unix socket."""
        self._tell()
        return self._clone.connect_kwargs

    @property
    def host(self) -> str:
        """The server's host."""
        return self._clone.endpoint.host

    @property
    def port(self) -> int:
        """The server's port."""
        return self._clone.endpoint.port

    @property
    def user(self) -> str:
        """The superuser."""
        return self._clone.endpoint.user

    @property
    def password(self) -> str:
        """Its password."""
        return self._clone.endpoint.password

    async def connect(self, **arguments: Any) -> asyncpg.Connection:
        """Connect to it; ``arguments`` are those of `asyncpg.connect`. The test need not close the connection.

        Raises:
            IsolationError: The test is over.
        """
        self.check_open()
        connection: asyncpg.Connection = await asyncpg.connect(**{**self._clone.connect_kwargs, **arguments})
        self._connections.append(connection)
        self._loops.add(asyncio.get_running_loop())
        return connection

    def connect_sync(self, **arguments: Any) -> Any:
        """Connect to it with a blocking connection that has the methods of `asyncpg.Connection`.

        The test need not close it. A forked child may do so, too; what the parent has made is the parent's.

        Raises:
            IsolationError: The test is over.
        """
        self.check_open()
        background = self._background.of_this_process()
        connection = background.run(_connect({**self._clone.connect_kwargs, **arguments}))
        self._blocking.append(connection)
        return Blocking(connection, background)

    def check_open(self) -> None:
        """Raise if the database gives no more connections.

        Raises:
            IsolationError: The database cannot be used any more.
        """
        if self.end_error is not None:
            raise self.end_error.with_traceback(None)

    def end(self, error: IsolationError) -> None:
        """End the connections that the test left open, and refuse others with an error.

        The database is about to be restored, or copied.
        """
        self.end_error = error
        loops, self._loops = self._loops, set()
        with contextlib.suppress(RuntimeError):  # Their loop is closed, and they with it.
            _terminate(self._connections)
        for loop in loops:
            _turn(loop)
        if self._blocking:
            self._background.run(_terminate_here(self._blocking))

    def _tell(self) -> None:
        self.check_open()
        self.is_known = True

    def __repr__(self) -> str:
        return f"<ClonedDatabase {self._clone.name} at {self.host}:{self.port}>"


async def _connect(arguments: dict[str, Any]) -> asyncpg.Connection:
    return await asyncpg.connect(**arguments)


def _terminate(connections: list[asyncpg.Connection]) -> None:
    while connections:
        connections.pop().terminate()


async def _terminate_here(connections: list[asyncpg.Connection]) -> None:
    _terminate(connections)


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    """Have a loop that stands still close what it was told to: it may be closed itself before it runs again."""
    if loop.is_running() or loop.is_closed():
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        loop.run_until_complete(asyncio.sleep(0))
