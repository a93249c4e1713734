"""Sends the statements of code under test within the transaction of its test, or commits that for real before."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from realservices.kinds.postgres.isolation.held import can_be_held
from realservices.kinds.postgres.isolation.needs import needs_of
from realservices.kinds.postgres.isolation.transaction_control import FAILURES, REMEDY, TransactionControl

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from realservices.kinds.postgres.isolation.held import HeldTransaction
    from realservices.kinds.postgres.isolation.needs import Needs

T = TypeVar("T")
# What PostgreSQL says where a statement wants no transaction around it, and its words did not tell.
_WANTS_THE_TOP = {
    "2D000",  # invalid_transaction_termination
    "25001",  # active_sql_transaction
    "55006",  # object_in_use
    "55P04",  # unsafe_new_enum_value_usage
}
_NOTE = f"isolated_database was within a test's transaction here. If that is why, {REMEDY}"


class HeldStatements:
    """Those of one test.

    Args:
        raw: asyncpg's protocol.
        held: The test's transaction.
        before_commit: Awaited before that is committed for real.
    """

    def __init__(self, raw: Any, held: HeldTransaction, before_commit: Callable[[], Awaitable[None]]) -> None:
        self._held = held
        self._control = TransactionControl(raw, held, before_commit)
        self._is_busy = False

    @property
    def is_committed(self) -> bool:
        """Whether the test's transaction was committed for real; then the connection is an ordinary one."""
        return self._control.is_committed

    @property
    def is_open(self) -> bool:
        """Whether code under test has a transaction open."""
        return self._held.is_open

    @property
    def has_old_clock(self) -> bool:
        """See `HeldTransaction.has_old_clock`."""
        return self._held.has_old_clock

    def note_cursor(self, sql: str) -> None:
        """Take note of a cursor, whose end hangs on that of its transaction."""
        self._held.note(sql, needs_of(sql))
        self._held.hangs = True

    async def end(self, reset: str) -> None:
        """Undo everything, and reset the session by some statements.

        Raises:
            IsolationBrokenError: The test's transaction was ended by something else.
        """
        await self._control.end(reset)

    async def prepare(self, send: Callable[[], Awaitable[T]]) -> T:
        """Have a statement prepared."""
        held = self._held
        if held.is_open:
            with held.failure_noted():
                return await send()
        with self._alone():
            if not held.is_begun:  # There is no transaction yet that a failure could hurt.
                return await send()
            was_empty = held.is_empty
            try:
                await self._send_before(held.before_statement(reads_clock=False))
                return await send()
            except FAILURES:
                held.has_failed(was_empty=was_empty)
                raise

    async def run(
        self,
        sql: str,
        needs: Needs,
        send: Callable[[], Awaitable[T]],
        answer: Callable[[str], T] | None,
        *,
        is_atomic: bool = False,
    ) -> T:
        """Run a text.

        Args:
            sql: The text.
            needs: What it needs.
            send: Sends it as it is.
            answer: Makes an answer of PostgreSQL's status. None: the text has none, and is not sent twice.
            is_atomic: Where the client fails, PostgreSQL undoes what it was sent before: several lists of arguments.
        """
        held = self._held
        with self._alone():
            if not held.is_open and held.must_commit(sql, needs):
                await self._control.commit()
                return await send()
            if held.may_restart and not needs.steps and held.hangs_on_commit(sql, needs):
                await self._control.restart()
                return await send()
            if needs.steps and answer is not None:
                return await self._run_steps(sql, needs, send, answer)
            return await self._run_one(sql, needs, send, may_repeat=answer is not None, is_atomic=is_atomic)

    async def _run_one(
        self,
        sql: str,
        needs: Needs,
        send: Callable[[], Awaitable[T]],
        *,
        may_repeat: bool = True,
        is_atomic: bool = False,
    ) -> T:
        held = self._held
        held.note_schema(sql, needs)
        try:
            if held.is_open:
                held.note(sql, needs)
                with held.failure_noted():
                    return await send()
            return await self._run_alone(sql, needs, send, is_atomic=is_atomic)
        except asyncpg.PostgresError as error:
            if error.sqlstate not in _WANTS_THE_TOP:
                raise
            if held.is_open or not may_repeat:
                error.add_note(_NOTE)
                raise
        await self._control.commit()
        return await send()

    async def _run_alone(self, sql: str, needs: Needs, send: Callable[[], Awaitable[T]], *, is_atomic: bool) -> T:
        """Run one statement so that its failure leaves the test's transaction usable.

        A savepoint for each costs one round trip (0.05 ms). After a failure the next statement rolls back to it,
        because the task of the failed one may have been cancelled.
        """
        held = self._held
        was_empty = held.is_empty
        try:
            await self._send_before(held.before_statement(reads_clock=held.reads_clock(sql, needs)))
            held.has_done(only_reads=held.only_reads(sql, needs))
            return await send()
        except FAILURES:
            held.has_failed(was_empty=was_empty)
            raise
        except Exception:  # The client's own. Of a COPY it has told PostgreSQL.
            with contextlib.suppress(OSError, asyncpg.InterfaceError):
                if is_atomic or await self._control.has_failed():
                    held.has_failed(was_empty=was_empty)
            raise

    async def _send_before(self, before: str) -> None:
        if before:
            await self._control.send(before)
            self._held.has_begun()

    async def _run_steps(
        self, sql: str, needs: Needs, send: Callable[[], Awaitable[T]], answer: Callable[[str], T]
    ) -> T:
        """Run a text with transaction control, one statement after the other."""
        held, steps, status = self._held, needs.steps, ""
        if len(steps) > 1 and held.is_open:
            held.note(sql, needs)
        for number, step in enumerate(steps):
            if not held.is_open and not can_be_held(steps[number:]):
                await self._control.commit()
            if self.is_committed:
                status = await self._control.send(
                    ";".join(step if isinstance(step, str) else step.text for step in steps[number:])
                )
                break
            if isinstance(step, str):
                status = await self._run_text(step)
            else:
                status = await self._control.apply(step)
        return answer(status)

    async def _run_text(self, sql: str) -> str:
        return await self._run_one(sql, needs_of(sql), lambda: self._control.send(sql))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse what another task wants of the connection meanwhile, as asyncpg does."""
        if self._is_busy:
            raise asyncpg.InterfaceError("cannot perform operation: another operation is in progress")
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False
