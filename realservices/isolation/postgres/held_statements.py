"""Sends the statements of code under test within the transaction of its test, or commits that for real before."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.isolation.postgres import statements
from realservices.isolation.postgres.held import can_be_held
from realservices.isolation.postgres.needs import needs_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from realservices.isolation.postgres.held import HeldTransaction
    from realservices.isolation.postgres.needs import Needs
    from realservices.isolation.postgres.statements import Control

T = TypeVar("T")
_NO_TRANSACTION = (asyncpg.InvalidSavepointSpecificationError, asyncpg.NoActiveSQLTransactionError)
_FAILURES = (asyncpg.PostgresError, asyncio.CancelledError, TimeoutError)
# What PostgreSQL says where a statement wants no transaction around it, and its words did not tell.
_WANTS_THE_TOP = {
    "2D000",  # invalid_transaction_termination
    "25001",  # active_sql_transaction
    "55006",  # object_in_use
    "55P04",  # unsafe_new_enum_value_usage
}
_REMEDY = 'use the fixture cloned_database, or isolation = "database" on the target'
_NOTE = f"isolated_database was within a test's transaction here. If that is why, {_REMEDY}"
_ADMITS_NOBODY = "not currently accepting connections"
_ADMITS_NOBODY_NOTE = "isolated_database is its database's only connection. For others, use the fixture cloned_database"


class HeldStatements:
    """Those of one test.

    Attributes:
        is_committed: The test's transaction was committed for real; the connection is an ordinary one.

    Args:
        raw: asyncpg's protocol.
        held: The test's transaction.
        before_commit: Awaited before that is committed for real.
    """

    def __init__(self, raw: Any, held: HeldTransaction, before_commit: Callable[[], Awaitable[None]]) -> None:
        self._raw = raw
        self._held = held
        self._before_commit = before_commit
        self._is_busy = False
        self.is_committed = False

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

    async def end(self) -> None:
        """Undo everything.

        Raises:
            IsolationBrokenError: The test's transaction was ended by something else.
        """
        await self._send_checked(self._held.end())

    async def prepare(self, send: Callable[[], Awaitable[T]]) -> T:
        """Have a statement prepared."""
        held = self._held
        if held.is_open:
            return await send()
        with self._alone():
            before, was_empty = held.before_preparing(), held.is_empty
            if not before and was_empty:  # There is no transaction yet that a failure could hurt.
                return await send()
            try:
                await self._send_before(before)
                return await send()
            except _FAILURES:
                held.has_failed(was_empty=was_empty)
                raise

    async def run(
        self, sql: str, needs: Needs, send: Callable[[], Awaitable[T]], answer: Callable[[str], T] | None
    ) -> T:
        """Run a text.

        Args:
            sql: The text.
            needs: What it needs.
            send: Sends it as it is.
            answer: Makes an answer of PostgreSQL's status. None: the text has none, and is not sent twice.
        """
        held = self._held
        with self._alone():
            if not held.is_open and held.must_commit(sql, needs):
                await self._commit()
                return await send()
            if needs.steps and answer is not None:
                return await self._run_steps(sql, needs, send, answer)
            return await self._run_one(sql, needs, send, may_repeat=answer is not None)

    async def _run_one(self, sql: str, needs: Needs, send: Callable[[], Awaitable[T]], *, may_repeat: bool = True) -> T:
        held = self._held
        held.note_schema(needs)
        try:
            if held.is_open:
                held.note(sql, needs)
                return await send()
            return await self._run_alone(send)
        except asyncpg.PostgresError as error:
            if _ADMITS_NOBODY in str(error):
                error.add_note(_ADMITS_NOBODY_NOTE)
            if error.sqlstate not in _WANTS_THE_TOP:
                raise
            if held.is_open or not may_repeat:
                error.add_note(_NOTE)
                raise
        await self._commit()
        return await send()

    async def _run_alone(self, send: Callable[[], Awaitable[T]]) -> T:
        """Run one statement so that its failure leaves the test's transaction usable.

        A savepoint for each costs one round trip (0.05 ms). After a failure the way back is taken by the next
        statement, because a cancelled task cannot do it.
        """
        held = self._held
        was_empty = held.is_empty
        try:
            await self._send_before(held.before_statement())
            held.has_done()
            return await send()
        except _FAILURES:
            held.has_failed(was_empty=was_empty)
            raise

    async def _send_before(self, before: str) -> None:
        if before:
            await self._send(before)
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
                await self._commit()
            if self.is_committed:
                status = await self._send(
                    ";".join(step if isinstance(step, str) else step.text for step in steps[number:])
                )
                break
            if isinstance(step, str):
                status = await self._run_text(step)
            else:
                status = await self._control(step)
        return answer(status)

    async def _run_text(self, sql: str) -> str:
        return await self._run_one(sql, needs_of(sql), lambda: self._send(sql))

    async def _control(self, control: Control) -> str:
        """Do what a statement of transaction control means, within the test's transaction."""
        held = self._held
        if not held.is_open:
            await self._begin(read_only=control.read_only)
            return statements.BEGIN
        if control.action == statements.COMMIT:
            return await self._commit_transaction(control)
        if control.action == statements.ROLLBACK:
            keeps_mode = control.chain and not await self._has_failed()
            await self._roll_back()
            if control.chain:
                await self._begin(read_only=keeps_mode and held.is_read_only)
            return statements.ROLLBACK
        if control.action == statements.PREPARE_TRANSACTION:
            return await self._prepare_transaction(control)
        if control.action in (statements.SET_TRANSACTION, statements.BEGIN):  # A second BEGIN only sets modes.
            return await self._set_transaction(control)
        held.note_savepoint()
        return await self._send(control.text)

    async def _begin(self, *, read_only: bool) -> None:
        was_empty = self._held.is_empty
        try:
            await self._send(self._held.before_transaction(read_only=read_only))
        except _FAILURES:
            self._held.has_failed(was_empty=was_empty)
            raise
        self._held.has_opened(read_only=read_only)

    async def _roll_back(self) -> None:
        await self._send(self._held.roll_back_transaction())
        self._held.has_closed(undone=True)

    async def _commit_transaction(self, control: Control) -> str:
        held, status, read_only = self._held, statements.COMMIT, self._held.is_read_only
        try:
            if held.hangs:
                return await _to_its_end(self._commit_all(control))
            await self._send(held.commit_transaction())
            held.has_closed(undone=False)
        except asyncpg.InFailedSQLTransactionError:
            await self._roll_back()
            status, read_only = statements.ROLLBACK, False  # What COMMIT of a failed transaction does and answers.
        if control.chain:
            await self._begin(read_only=read_only)
        return status

    async def _has_failed(self) -> bool:
        """Return whether the transaction of code under test has. Then a chained one does not begin with its mode."""
        try:
            await self._send("SELECT")
        except asyncpg.InFailedSQLTransactionError:
            return True
        return False

    async def _commit_all(self, control: Control) -> str:
        """Commit for real, with the transaction of code under test."""
        held = self._held
        await self._before_commit()
        try:
            status = await self._send(held.commit_all(control.text))
        except asyncpg.InFailedSQLTransactionError:
            raise
        except asyncpg.PostgresError as error:
            if self._raw.is_in_transaction():
                await self._roll_back()
                raise
            held.has_lost_all()
            if held.stands_alone:
                raise
            raise IsolationError(
                f"isolated_database: PostgreSQL has refused {control.text.strip()!r} ({error}), and with it all that "
                f"this test had done before its transaction; {_REMEDY}"
            ) from error
        self.is_committed = True
        return status

    async def _prepare_transaction(self, control: Control) -> str:
        if not self._held.stands_alone:
            raise IsolationError(
                f"{control.text.strip()!r} on isolated_database would prepare what this test did before, too; {_REMEDY}"
            )
        await self._before_commit()
        try:
            return await self._send(control.text)
        finally:
            self.is_committed = not self._raw.is_in_transaction()

    async def _set_transaction(self, control: Control) -> str:
        # Within a savepoint only READ ONLY can be set. Before the first statement the transaction may begin anew.
        if control.is_special and self._held.may_restart:
            await self._roll_back()
            await self._commit()
            await self._send("BEGIN READ ONLY" if self._held.is_read_only else "BEGIN")
            for sql in self._held.prelude:
                await self._send(sql)
        elif control.read_only:
            self._held.is_read_only = True
        return await self._send(control.text)

    async def _commit(self) -> None:
        """Commit the test's transaction for real."""
        await _to_its_end(self._commit_held())

    async def _commit_held(self) -> None:
        await self._before_commit()
        await self._send_checked(self._held.commit())
        self.is_committed = True

    async def _send_checked(self, sql: str) -> None:
        try:
            if sql:
                await self._send(sql)
        except _NO_TRANSACTION as error:
            raise IsolationBrokenError(
                "the transaction of isolated_database was ended behind its back, so what the test wrote may be "
                f"committed (PostgreSQL says: {error}). Its database has been taken away, later tests are not "
                f"affected. If code under test must commit, {_REMEDY}"
            ) from None

    async def _send(self, sql: str) -> str:
        status: str = await self._raw.query(sql, None)
        return status

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


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Await something that must not be cut short. A cancellation takes effect after it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # Asked for, so that asyncio does not report it.
        raise
