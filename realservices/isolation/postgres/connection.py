"""The connection behind `isolated_database`: one transaction per test, rolled back at its end.

Code under test sees a connection as PostgreSQL gives it: each statement stands alone, a failed one takes nothing else
with it, and transactions may be opened by `Connection.transaction()` or by BEGIN and COMMIT in SQL. Beneath, all of it
is savepoints within the test's transaction. The last line of defence is a savepoint with a random name: if it is gone
at the end, the test's transaction was ended by somebody else, and the database is no longer clean.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
from asyncpg.transaction import Transaction

from realservices.isolation.errors import IsolationBrokenError, IsolationError, IsolationWarning
from realservices.isolation.postgres import statements
from realservices.isolation.postgres.guarding import guarded_methods
from realservices.isolation.postgres.statements import Control

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
_STATEMENT = "realservices_statement"  # Before each statement outside of a transaction: what failure returns to.
_TRANSACTION = "realservices_transaction"  # Where a transaction begun by SQL text starts.
_CHECK = "realservices_check"
_ASYNCPG = "__asyncpg_"  # How asyncpg names the savepoints of nested transactions.
_NO_TRANSACTION = (asyncpg.InvalidSavepointSpecificationError, asyncpg.NoActiveSQLTransactionError)
_REMEDY = 'use the fixture cloned_database, or isolation = "database" on the target'


@guarded_methods
class IsolatedConnection(asyncpg.Connection):
    """A connection that can be put under a test's transaction. Outside of one it is an ordinary connection."""

    # asyncpg's own, which its type stubs leave out.
    _protocol: Any
    _listeners: dict[str, Any]
    _log_listeners: set[Any]
    _query_loggers: set[Any]
    _termination_listeners: set[Any]
    _check_open: Callable[[], None]
    _mark_stmts_as_closed: Callable[[], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._outer: Any = None  # asyncpg's object of the test's transaction.
        self._marker = ""
        self._boundary = ""  # What to send instead of asyncpg's BEGIN or ROLLBACK of the test's transaction.
        self._open = ""  # The savepoint at which code under test has begun its outermost transaction.
        self._within = False
        self._recover = False
        self._schema_changed = False
        self.has_codecs = False

    async def begin_test(self) -> None:
        """Open the test's transaction."""
        self._open, self._recover, self._schema_changed, self.has_codecs = "", False, False, False
        self._marker = f"realservices_{secrets.token_hex(8)}"
        self._boundary = f"BEGIN; SAVEPOINT {self._marker}; SAVEPOINT {_STATEMENT}"
        self._outer = super().transaction()
        await self._outer.start()

    async def end_test(self) -> None:
        """Roll the test's transaction back and reset the session. A closed connection has nothing left to undo.

        Raises:
            IsolationBrokenError: The transaction that ended here was not the one that `begin_test` opened.
        """
        outer, self._outer = self._outer, None
        if self.is_closed() or outer is None:
            return
        for callbacks in (self._listeners, self._log_listeners, self._query_loggers, self._termination_listeners):
            callbacks.clear()
        self._boundary = f"ROLLBACK TO SAVEPOINT {self._marker}; ROLLBACK"
        try:
            await outer.rollback()
        except _NO_TRANSACTION as error:
            raise IsolationBrokenError(
                "the transaction of isolated_database was ended behind its back, so what the test wrote may be "
                f"committed (PostgreSQL says: {error}). Its database has been thrown away, later tests are not "
                f"affected. If code under test must commit, {_REMEDY}"
            ) from None
        if self.has_codecs:  # Codecs are the client's and outlive every reset.
            await self.close()
            return
        await self._send("DISCARD ALL")
        self._mark_stmts_as_closed()  # DISCARD ALL has dropped them; asyncpg must not use or close them again.
        if self._schema_changed:
            self.get_settings().clear_type_cache()

    # What code under test sees

    def is_in_transaction(self) -> bool:
        """Say whether code under test has opened a transaction. The test's own does not count."""
        return bool(self._open) if self._outer is not None else super().is_in_transaction()

    def transaction(self, *, isolation: Any = None, readonly: bool = False, deferrable: bool = False) -> Any:
        """Create a transaction. The isolation level is checked and has no effect: nobody else is in the database."""
        ordinary = super().transaction(isolation=isolation, readonly=readonly, deferrable=deferrable)
        if self._outer is None:
            return ordinary
        if self._open == _TRANSACTION:
            raise asyncpg.InterfaceError("cannot use Connection.transaction() in a manually started transaction")
        return _Nested(self, None, readonly, deferrable)

    async def reset(self, *, timeout: float | None = None) -> None:
        """Reset the session; within a test, roll back what code under test began, and no more."""
        if self._outer is None:
            await super().reset(timeout=timeout)
            return
        await self._apply(Control(statements.ROLLBACK, "ROLLBACK"))
        await self.guarded(lambda: self._send(self.get_reset_query()))

    async def add_listener(self, channel: str, callback: Any) -> None:
        """Listen, with a warning within a test: PostgreSQL notifies at COMMIT, and the test's never comes."""
        if self._outer is not None:
            warnings.warn(
                f"LISTEN {channel!r} on isolated_database: notifications are delivered at COMMIT, and a test's "
                f"transaction is rolled back; {_REMEDY}",
                IsolationWarning,
                stacklevel=3,
            )
        await super().add_listener(channel, callback)

    # How statements are kept within the test's transaction

    async def _send(self, sql: str) -> str:
        """Send our own statements, past the query loggers of code under test."""
        self._check_open()
        status: str = await self._protocol.query(sql, None)
        return status

    async def guarded(self, call: Callable[[], Awaitable[T]]) -> T:
        """Run one statement so that its failure leaves the test's transaction usable.

        A savepoint per statement costs one round trip (0.05 ms). After a failure the way back is taken by the next
        statement, because a cancelled task cannot do it.
        """
        if self._outer is None or self._open or self._within:
            return await call()
        self._within = True
        try:
            if self._recover:
                await self._send(f"ROLLBACK TO SAVEPOINT {_STATEMENT}")
            else:
                await self._send(f"RELEASE SAVEPOINT {_STATEMENT}; SAVEPOINT {_STATEMENT}")
            self._recover = False
            return await call()
        except asyncpg.ActiveSQLTransactionError as error:
            self._recover = True
            error.add_note(f"isolated_database is within a transaction, where PostgreSQL refuses this; {_REMEDY}")
            raise
        except (asyncpg.PostgresError, asyncio.CancelledError, TimeoutError):
            self._recover = True
            raise
        finally:
            self._within = False

    async def guarded_text(self, method: str, base: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one of asyncpg's methods that take SQL text."""
        if self._boundary:
            sql, self._boundary = self._boundary, ""
            return await self._send(sql)
        sql = args[0] if args else kwargs.get("query", kwargs.get("command", ""))
        if self._outer is None or not isinstance(sql, str):
            return await base(self, *args, **kwargs)
        self._schema_changed = self._schema_changed or statements.changes_schema(sql)
        steps = statements.plan(sql)
        if steps is None or (len(steps) > 1 and method != "execute"):
            return await self.guarded(lambda: base(self, *args, **kwargs))
        if method not in ("execute", "fetch", "fetchrow", "fetchval"):
            raise IsolationError(f"{method}({sql!r}): transaction control cannot be prepared on isolated_database")
        status = ""
        for step in steps:
            if isinstance(step, Control):
                status = await self._apply(step)
            else:
                status = await self.guarded(functools.partial(base, self, step, **kwargs))
        return {"execute": status, "fetch": []}.get(method)

    async def _apply(self, control: Control) -> str:
        """Do what a statement of transaction control means, within the test's transaction."""
        action, ours = control.action, bool(self._open) and control.name == self._open
        if action == statements.REFUSED:
            raise IsolationError(f"{control.text.strip()!r} on isolated_database would outlive the test; {_REMEDY}")
        if action == statements.BEGIN:
            await self._begin(_TRANSACTION, read_only=control.read_only)
        elif action == statements.SAVEPOINT and not self._open and control.name.startswith(_ASYNCPG):
            await self._begin(control.name)
        elif action == statements.COMMIT or (action == statements.RELEASE and ours):
            action = await self._commit()
        elif action == statements.ROLLBACK or (action == statements.ROLLBACK_TO and ours):
            await self._roll_back()
        elif action == statements.SET_TRANSACTION:
            await self._set_transaction(control)
        elif self._open:
            return await self._send(control.text)
        elif not control.name.startswith(_ASYNCPG):
            raise asyncpg.NoActiveSQLTransactionError(f"{action} can only be used in transaction blocks")
        if control.chain:
            await self._begin(_TRANSACTION)
        return action

    async def _begin(self, savepoint: str, *, read_only: bool = False) -> None:
        if self._open:  # PostgreSQL only warns: "there is already a transaction in progress".
            return
        recover = f"ROLLBACK TO SAVEPOINT {_STATEMENT}; " if self._recover else ""
        await self._send(f"{recover}SAVEPOINT {savepoint}" + ("; SET TRANSACTION READ ONLY" if read_only else ""))
        self._recover = False
        self._open = savepoint

    async def _commit(self) -> str:
        savepoint, self._open = self._open, ""
        if not savepoint:  # PostgreSQL only warns: "there is no transaction in progress".
            return statements.COMMIT
        try:
            # COMMIT checks deferred constraints, releasing a savepoint does not. The savepoint around the check
            # brings the constraints' own settings back.
            await self._send(
                f"SAVEPOINT {_CHECK}; SET CONSTRAINTS ALL IMMEDIATE; "
                f"ROLLBACK TO SAVEPOINT {_CHECK}; RELEASE SAVEPOINT {savepoint}"
            )
        except asyncpg.InFailedSQLTransactionError:
            await self._end(savepoint)
            return statements.ROLLBACK  # What COMMIT of a failed transaction does and answers.
        except asyncpg.PostgresError:
            await self._end(savepoint)
            raise
        return statements.COMMIT

    async def _roll_back(self) -> None:
        savepoint, self._open = self._open, ""
        if savepoint:
            await self._end(savepoint)

    async def _end(self, savepoint: str) -> None:
        await self._send(f"ROLLBACK TO SAVEPOINT {savepoint}; RELEASE SAVEPOINT {savepoint}")

    async def _set_transaction(self, control: Control) -> None:
        # Isolation levels cannot be set below the top; READ ONLY can, and without a transaction both do nothing.
        if self._open and control.read_only:
            await self._send("SET TRANSACTION READ ONLY")


class _Nested(Transaction):
    """A transaction of code under test. asyncpg makes it a savepoint, which would forget that it is read-only."""

    _connection: IsolatedConnection
    _readonly: bool

    async def start(self) -> None:
        connection = self._connection
        outermost = not connection.is_in_transaction()
        await super().start()
        if outermost and self._readonly:
            await connection._send("SET TRANSACTION READ ONLY")
