"""The asyncpg connection of a test, kept for the next one, because connecting costs more than all that a test needs.

A test begins with its transaction, which is rolled back in the end (guarded_protocol.py), or it commits from the
start. After it the session is as good as a new one, or the connection is not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realservices.kinds.postgres.isolation.guarded_protocol import GuardedProtocol
from realservices.kinds.postgres.isolation.held_statements import HeldStatements
from realservices.kinds.postgres.isolation.resettable_connection import ResettableConnection

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from realservices.kinds.postgres.isolation.held import HeldTransaction
    from realservices.kinds.postgres.isolation.traits import Traits


# DISCARD ALL (https://www.postgresql.org/docs/current/sql-discard.html), but for the statements that asyncpg has
# prepared: to prepare them again would take a round trip for each in every test. They are planned for each execution
# anew (`plan_cache_mode`, see PostgresIsolation), so that no test finds another plan because of those before it.
_RESET = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); "
    "DISCARD SEQUENCES; DISCARD TEMP"
)


class IsolatedConnection(ResettableConnection):
    """A connection that can be put under a test's transaction. Outside of one it is an ordinary connection.

    Attributes:
        guard: What all that it sends goes through.
    """

    # asyncpg's own, which its type stubs leave out.
    _loop: asyncio.AbstractEventLoop
    _top_xact: Any

    def __init__(self, protocol: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(protocol, *args, **kwargs)
        self.guard = self._protocol = GuardedProtocol(protocol, self._loop)
        self.guard.before_altering = self.forget_statements

    @property
    def raw(self) -> Any:
        """See `ResettableConnection`; past the guard."""
        return self.guard.raw

    async def begin_test(
        self, traits: Traits, held: HeldTransaction | None, before_commit: Callable[[], Awaitable[None]]
    ) -> None:
        """Begin a test.

        Args:
            traits: Those of its database.
            held: Its transaction; None: it commits from the start.
            before_commit: Awaited before it commits for real.
        """
        self.guard.begin(traits, HeldStatements(self.guard.raw, held, before_commit) if held else None)

    async def end_test(self) -> bool:
        """Undo what the test's transaction holds and reset the session; return whether it is as good as a new one.

        Where it is not, the connection is closed. One that is closed already has nothing left to undo.

        Raises:
            IsolationBrokenError: The transaction that ended here was not the one that the test has begun with.
        """
        if self.is_closed():
            return False
        self.forget_callbacks()
        self._top_xact = None
        alters_session = self.guard.alters_session
        await self._end_transaction("" if alters_session or not self.guard.has_sent else _RESET)
        if alters_session:
            await self.discard_all()
        if self.guard.changes_schema:
            self.get_settings().clear_type_cache()
        if self.has_codecs or self.guard.outlasts_reset:
            self.terminate()
            return False
        return True

    async def _end_transaction(self, reset: str) -> None:
        """Undo what is not committed, and reset the session, all of it in one round trip."""
        held, self.guard.held = self.guard.held, None
        if held is not None and not held.is_committed:
            await held.end(reset)
            return
        rollback = "ROLLBACK" if self.raw.is_in_transaction() else ""
        if rollback or reset:
            await self.raw.query("; ".join(filter(None, (rollback, reset))), None)


def has_old_clock(connection: Any) -> bool:
    """Return whether code under test may have seen a time over this connection that stood still.

    Args:
        connection: What a fixture gave: a proxy of such a connection, or its blocking view.
    """
    proxy = getattr(connection, "_target", connection)
    guard = getattr(getattr(proxy, "_con", None), "guard", None)
    return guard is not None and guard.held is not None and guard.held.has_old_clock
