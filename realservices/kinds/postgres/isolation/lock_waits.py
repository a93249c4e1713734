"""Ends waits for locks that would last for ever: for a connection of the same test, which does nothing any more.

PostgreSQL finds a deadlock where all of it is in the server. Here a part is in the test: it waits for a statement, the
statement for a lock, and who holds the lock for what the test would say next. Only looking from outside shows that, so
the test's sessions keep the settings of production.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.kinds.postgres.isolation.administration import Administration

if TYPE_CHECKING:
    from collections.abc import Collection

    from realservices.contract.runtime import Endpoint

LONGEST_S = 10.0
"""Who waits so long for who does nothing for so long does not wait for what a test has under way."""
_PAUSE_S = 1.0
_STUCK = """WITH own AS MATERIALIZED (
        SELECT pid, query, state LIKE 'idle%' AND state_change < now() - $3::float8 * '1s'::interval AS is_idle
        FROM pg_stat_activity WHERE starts_with(datname, $1) OR datname = ANY ($2)),
    stuck AS (
        SELECT waiting.pid, waiting.query AS waiting, string_agg(holder.query, E'\\n') AS holding
        FROM own AS waiting JOIN pg_locks ON pg_locks.pid = waiting.pid AND NOT granted
            AND waitstart < now() - $3::float8 * '1s'::interval
            CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocking (pid)
            LEFT JOIN own AS holder ON holder.pid = blocking.pid
        GROUP BY waiting.pid, waiting.query HAVING bool_and(coalesce(holder.is_idle, false)))
    SELECT {} FROM stuck"""
_TELL = _STUCK.format("waiting, holding")
_CANCEL = _STUCK.format("pg_cancel_backend(pid)")
_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass(frozen=True, slots=True)
class LockWait:
    """One wait that was ended.

    Attributes:
        waiting: The statement that waited, and was cancelled.
        holding: The last statement of who held the lock.
    """

    waiting: str
    holding: str

    def __str__(self) -> str:
        return (
            f"A statement of this test waited {LONGEST_S:.0f} s for a lock of another of its connections, which did "
            f"nothing meanwhile, and was cancelled:\n    {self.waiting}\nThe last statement of the other connection was"
            f"\n    {self.holding}\nEnd the transaction of that one first (or release its lock), or do so beside the "
            "statement that waits: in a task, or a thread. A test that waits on purpose sets a shorter lock_timeout"
        )


class LockWaits:
    """Looks for them where a test of this process lasts long. Everything runs on the background loop.

    Args:
        endpoint: The service.
        owner: See `Administration`.
        prefix: What begins the names of the process's databases.
        names: Further ones of them.
    """

    def __init__(self, endpoint: Endpoint, owner: str, prefix: str, names: Collection[str]) -> None:
        self._administration = Administration(endpoint, owner)
        self._prefix = prefix
        self._names = names
        self._found: list[LockWait] = []
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Take note that a test has begun which has a database."""
        self._timer = asyncio.get_running_loop().call_later(LONGEST_S, self._start)

    def end(self) -> None:
        """Take note that no test has one any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def taken(self) -> list[LockWait]:
        """Return what was found since the last time, in any thread."""
        found, self._found = self._found, []
        return found

    async def close(self, *, finish: bool) -> None:
        """Disconnect."""
        self.end()
        await self._administration.close(finish=finish)

    def _start(self) -> None:
        self._looking = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        arguments: tuple[Any, ...] = self._prefix, list(self._names), LONGEST_S
        try:
            while True:
                if found := await self._administration.fetch(_TELL, *arguments):
                    # Before they are cancelled: the test may be at its end as soon as they are.
                    before, self._found = self._found, [*self._found, *(LockWait(*row) for row in found)]
                    if not await self._administration.fetch(_CANCEL, *arguments):
                        self._found = before  # It went on by itself.
                await asyncio.sleep(_PAUSE_S)
        except _FAILURES:
            return  # PostgreSQL 13 does not say how long one waits; and a test may have stopped the server.
