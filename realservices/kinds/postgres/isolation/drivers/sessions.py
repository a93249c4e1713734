"""SQLAlchemy's sessions for one test: their end waits for nothing that the test has left running on them.

A session that ends rolls back, after the statement that its connection is busy with: that of a thread which waits for a
lock, or for a notification, would hold up all tests. So the thread is cut off, as on the engine's other connections,
and the session left as it is: the engine's end takes its connection away.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import IllegalStateChangeError, InterfaceError
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
    from sqlalchemy.orm import SessionTransaction

# What a session, or asyncpg, says of a call while another one is under way.
_IN_USE = (IllegalStateChangeError, InterfaceError)


@contextlib.contextmanager
def session_on(engine: Engine) -> Iterator[Session]:
    """Give a session with SQLAlchemy's defaults, until its test ends.

    Args:
        engine: The test's, over psycopg or psycopg2.
    """
    session = Session(engine)
    connections = _connections_of(session)
    try:
        yield session
    finally:
        if not _are_cut_off(connections):
            with contextlib.suppress(*_IN_USE):
                session.close()


def async_session_on(engine: AsyncEngine) -> tuple[AsyncSession, Callable[[], Awaitable[None]]]:
    """Return an asynchronous session with ``expire_on_commit=False``, and what ends the test's use of it.

    Args:
        engine: The test's, over asyncpg or psycopg.
    """
    from sqlalchemy.ext.asyncio import AsyncSession  # noqa: PLC0415 - without greenlet it cannot be imported

    session = AsyncSession(engine, expire_on_commit=False)
    connections = _connections_of(session.sync_session)

    async def end() -> None:
        if not _are_cut_off(connections):
            with contextlib.suppress(*_IN_USE):
                await session.close()

    return session, end


def _connections_of(session: Session) -> list[Connection]:
    """Return those of a session's transaction, a list that changes with it."""
    connections: list[Connection] = []
    event.listen(session, "after_begin", lambda _, __, connection: connections.append(connection))

    def forget(_: Session, ended: SessionTransaction) -> None:
        if ended.parent is None:
            connections.clear()

    event.listen(session, "after_transaction_end", forget)
    return connections


def _are_cut_off(connections: list[Connection]) -> bool:
    """Cut off what waits for the server on connections; return whether anything does. asyncpg does not wait itself."""
    drivers: list[Any] = [
        connection.connection.driver_connection
        for connection in connections
        if not connection.closed and not connection.invalidated
    ]
    waiting = [driver for driver in drivers if hasattr(driver, "cut_off") and driver.cut_off()]
    return bool(waiting)
