"""Stands between an asyncpg connection and its protocol, through which everything goes that the connection sends.

Outside of tests, and in a test that commits, it only passes on. Within a test's transaction (held_statements.py)
asyncpg sees what it would see without: asked whether a transaction is open, it answers for that of code under test.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from realservices.isolation.errors import IsolationError
from realservices.kinds.postgres.isolation.needs import needs_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from realservices.kinds.postgres.isolation.held_statements import HeldStatements
    from realservices.kinds.postgres.isolation.traits import Traits

T = TypeVar("T")
_ADMITS_NOBODY = "not currently accepting connections"
_ADMITS_NOBODY_NOTE = "isolated_database admits no other connections; for those use the fixture cloned_database"
_RETURN_EXTRA = 4  # Where asyncpg's bind_execute has it, if not by name.


class GuardedProtocol:
    """Has what asyncpg's protocol has.

    Attributes:
        raw: asyncpg's.
        held: The statements within the test's transaction; None: the test commits, or there is none.
        outlasts_reset: Something may be there that no reset removes, see `Needs`.
        changes_schema: Types may have changed.
        alters_session: What later statements mean may have changed.
        has_sent: Something was sent.
        before_altering: Called with the names of the statements that the test has used, before what statements mean is
            altered for the first time.

    Args:
        raw: asyncpg's.
        loop: Where the connection lives.
    """

    def __init__(self, raw: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.raw = raw
        self._loop = loop
        self.held: HeldStatements | None = None
        self._traits: Traits | None = None
        self._used: set[str] = set()
        self.before_altering: Callable[[Collection[str]], None] = lambda _: None
        self.outlasts_reset = self.changes_schema = self.alters_session = self.has_sent = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)

    def begin(self, traits: Traits, held: HeldStatements | None) -> None:
        """Begin a test in a database with these traits."""
        self._traits, self.held = traits, held
        self._used.clear()
        self.outlasts_reset = self.changes_schema = self.alters_session = self.has_sent = False

    def is_in_transaction(self) -> bool:
        """Return whether code under test has a transaction open."""
        if self.held is not None and not self.held.is_committed:
            return self.held.is_open
        return bool(self.raw.is_in_transaction())

    async def query(self, query: str, timeout: Any) -> Any:
        """Send a text that may hold several statements."""
        if not isinstance(query, str):
            return await self.raw.query(query, timeout)  # It says so.
        # Those that are sent one by one have one time together.
        async with asyncio.timeout(self.raw._get_timeout(timeout) if len(needs_of(query).steps) > 1 else None):
            return await self._run(query, lambda: self.raw.query(query, timeout), lambda status: status)

    async def prepare(self, stmt_name: str, query: str, timeout: Any, **options: Any) -> Any:
        """Have a statement prepared. That does nothing yet, and may fail."""

        def send() -> Any:
            return self.raw.prepare(stmt_name, query, timeout, **options)

        self._check_loop()
        self.has_sent = True
        self._note_session(needs_of(query).alters_session)
        self._used.add(stmt_name)
        if self.held is None or self.held.is_committed:
            return await send()
        return await self.held.prepare(send)

    async def bind_execute(self, *args: Any, **options: Any) -> Any:
        """Run a prepared statement."""
        is_extended = args[_RETURN_EXTRA] if len(args) > _RETURN_EXTRA else options.get("return_extra", False)
        return await self._run(
            self._use(args, options),
            lambda: self.raw.bind_execute(*args, **options),
            lambda status: ([], status.encode(), True) if is_extended else [],
        )

    async def bind_execute_many(self, *args: Any, **options: Any) -> Any:
        """Run a prepared statement with several lists of arguments."""
        return await self._run(
            self._use(args, options),
            lambda: self.raw.bind_execute_many(*args, **options),
            lambda _: None,
            is_atomic=True,
        )

    async def bind(self, *args: Any, **options: Any) -> Any:
        """Open a cursor, which ends with its transaction."""
        self._check_loop()
        text = self._use(args, options)
        if self.held is not None:
            self.held.note_cursor(text)
        return await self.raw.bind(*args, **options)

    async def copy_in(self, copy_stmt: str, *args: Any, **options: Any) -> Any:
        """Send rows."""
        return await self._run(copy_stmt, lambda: self.raw.copy_in(copy_stmt, *args, **options), None)

    async def copy_out(self, copy_stmt: str, *args: Any, **options: Any) -> Any:
        """Receive rows."""
        return await self._run(copy_stmt, lambda: self.raw.copy_out(copy_stmt, *args, **options), None)

    async def _run(
        self,
        sql: str,
        send: Callable[[], Awaitable[T]],
        answer: Callable[[str], T] | None,
        *,
        is_atomic: bool = False,
    ) -> T:
        """Run a text.

        Args:
            sql: The text.
            send: Sends it as it is.
            answer: Makes an answer of PostgreSQL's status. None: the text has none, and is not sent twice.
            is_atomic: See `HeldStatements.run`.
        """
        self._check_loop()
        needs = needs_of(sql)
        self.has_sent = True
        self.changes_schema = self.changes_schema or needs.changes_schema
        self._note_session(
            needs.alters_session or (self._traits is not None and self._traits.session.is_in(sql, needs))
        )
        if needs.outlasts_reset or (self._traits is not None and self._traits.outlasting.is_in(sql, needs)):
            self.outlasts_reset = True
        try:
            if self.held is None or self.held.is_committed:
                return await send()
            return await self.held.run(sql, needs, send, answer, is_atomic=is_atomic)
        except asyncpg.PostgresError as error:
            if _ADMITS_NOBODY in str(error):
                error.add_note(_ADMITS_NOBODY_NOTE)
            raise

    def _use(self, args: tuple[Any, ...], options: dict[str, Any]) -> str:
        """Take note of a prepared statement, asyncpg's first argument ``state``; return its text."""
        statement = args[0] if args else options["state"]
        self._used.add(statement.name)
        return str(statement.query)

    def _note_session(self, alters: bool) -> None:
        if alters and not self.alters_session:
            self.alters_session = True
            self.before_altering(self._used)

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise IsolationError(
                "isolated_database is a connection of its test's event loop, and is used in another one, of thread "
                f"{threading.current_thread().name!r}. Have code that runs an event loop of its own connect by the URL "
                "of the fixture cloned_database (cloned_database.url)"
            )
