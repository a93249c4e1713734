"""Transaction control of code under test, within the transaction of its test; and that one's COMMIT for real."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.kinds.postgres.isolation import statements

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from realservices.kinds.postgres.isolation.held import HeldTransaction
    from realservices.kinds.postgres.isolation.statements import Control

T = TypeVar("T")
_NO_TRANSACTION = (asyncpg.InvalidSavepointSpecificationError, asyncpg.NoActiveSQLTransactionError)
FAILURES = (asyncpg.PostgresError, asyncio.CancelledError, TimeoutError)
"""After these a statement has failed, or may have."""
REMEDY = 'use the fixture cloned_database, or isolation = "database" on the target'
"""What to do where a test's transaction is in the way."""


class TransactionControl:
    """Sends what `HeldTransaction` says.

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
        self.is_committed = False

    async def send(self, sql: str) -> str:
        """Send a text as it is; return the status."""
        status: str = await self._raw.query(sql, None)
        return status

    async def end(self, reset: str) -> None:
        """Undo everything, and reset the session by some statements.

        Raises:
            IsolationBrokenError: The test's transaction was ended by something else.
        """
        await self._send_checked("; ".join(filter(None, (self._held.end(), reset))))

    async def commit(self) -> None:
        """Commit the test's transaction for real, where code under test has none open.

        Raises:
            IsolationBrokenError: The test's transaction was ended by something else.
        """
        await _to_its_end(self._commit())

    async def restart(self) -> None:
        """Begin the transaction of code under test anew, as one at the top, after a commit for real."""
        await _to_its_end(self._restart())

    async def _restart(self) -> None:
        held = self._held
        read_only, prelude = held.is_read_only, held.prelude
        await self._roll_back()
        await self._commit()
        for sql in ("BEGIN READ ONLY" if read_only else "BEGIN", *prelude):
            await self.send(sql)

    async def _commit(self) -> None:
        await self._before_commit()
        await self._send_checked(self._held.commit())
        self.is_committed = True

    async def apply(self, control: Control) -> str:
        """Do what a statement of transaction control means, within the test's transaction."""
        held = self._held
        if not held.is_open:
            await self._begin(read_only=control.read_only)
            return control.status
        if control.action == statements.COMMIT:
            return await self._commit_transaction(control)
        if control.action == statements.ROLLBACK:
            # A chained one does not begin with the mode of one that has failed.
            keeps_mode = control.chain and not await self.has_failed()
            await self._roll_back()
            if control.chain:
                await self._begin(read_only=keeps_mode and held.is_read_only)
            return statements.ROLLBACK
        if control.action == statements.PREPARE_TRANSACTION:
            return await self._prepare_transaction(control)
        if control.action in (statements.SET_TRANSACTION, statements.BEGIN):  # A second BEGIN only sets modes.
            return await self._set_transaction(control)
        held.note_savepoint()
        return await self.send(control.text)

    async def _begin(self, *, read_only: bool) -> None:
        was_empty = self._held.is_empty
        try:
            await self.send(self._held.before_transaction(read_only=read_only))
        except FAILURES:
            self._held.has_failed(was_empty=was_empty)
            raise
        self._held.has_opened(read_only=read_only)

    async def _roll_back(self) -> None:
        await self.send(self._held.roll_back_transaction())
        self._held.has_closed(undone=True)

    async def _commit_transaction(self, control: Control) -> str:
        held, status, read_only = self._held, statements.COMMIT, self._held.is_read_only
        try:
            if held.hangs:
                return await _to_its_end(self._commit_all(control))
            await self.send(held.commit_transaction())
            held.has_closed(undone=False)
        except asyncpg.InFailedSQLTransactionError:
            await self._roll_back()
            status, read_only = statements.ROLLBACK, False  # What COMMIT of a failed transaction does and answers.
        if control.chain:
            await self._begin(read_only=read_only)
        return status

    async def has_failed(self) -> bool:
        """Return whether the transaction has failed in the server."""
        try:
            await self.send("SELECT")
        except asyncpg.InFailedSQLTransactionError:
            return True
        return False

    async def _commit_all(self, control: Control) -> str:
        """Commit for real, with the transaction of code under test."""
        held = self._held
        await self._before_commit()
        try:
            status = await self.send(held.commit_all(control.text))
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
                f"this test had done before its transaction; {REMEDY}"
            ) from error
        self.is_committed = True
        return status

    async def _prepare_transaction(self, control: Control) -> str:
        if not self._held.stands_alone:
            raise IsolationError(
                f"{control.text.strip()!r} on isolated_database would prepare what this test did before, too; {REMEDY}"
            )
        await self._before_commit()
        try:
            return await self.send(control.text)
        finally:
            self.is_committed = not self._raw.is_in_transaction()

    async def _set_transaction(self, control: Control) -> str:
        # Within a savepoint only READ ONLY can be set. Before the first statement the transaction may begin anew.
        if control.is_special and self._held.may_restart:
            await self.restart()
        elif control.read_only:
            self._held.is_read_only = True
        return await self.send(control.text)

    async def _send_checked(self, sql: str) -> None:
        try:
            if sql:
                await self.send(sql)
        except _NO_TRANSACTION as error:
            raise IsolationBrokenError(
                "the transaction of isolated_database was ended behind its back, so what the test wrote may be "
                f"committed (PostgreSQL says: {error}). Its database has been taken away, later tests are not "
                f"affected. If code under test must commit, {REMEDY}"
            ) from None


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
