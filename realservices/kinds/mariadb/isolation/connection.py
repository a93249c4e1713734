"""The asyncmy connection of a test whose transaction is rolled back.

The transaction is one of XA, in which the server itself refuses whatever would end it: DDL, LOCK TABLES, a COMMIT in a
procedure or among several statements. What code under test says of transactions becomes savepoints within it, as if
each were a transaction of its own: BEGIN and COMMIT, `connection.begin()` and `connection.commit()`, with autocommit
and without.

https://mariadb.com/kb/en/xa-transactions/
"""

from __future__ import annotations

import asyncio
from typing import Any

from asyncmy.connection import Connection
from asyncmy.errors import MySQLError

from realservices.isolation.errors import IsolationError, ended
from realservices.kinds.mariadb.isolation.statements import Effect, asked_of, effect_of

_QUERY, _EXECUTE, _BULK_EXECUTE, _PREPARE = 3, 23, 250, 22
_POINT = "realservices_transaction"
_OPEN, _CLOSE, _UNDO = f"SAVEPOINT {_POINT}", f"RELEASE SAVEPOINT {_POINT}", f"ROLLBACK TO SAVEPOINT {_POINT}"
_NOTHING = "DO 0"
# XAER_RMFAIL: not in an XA transaction.
_WOULD_END_IT = 1399
# XA_RBROLLBACK, XA_RBTIMEOUT, XA_RBDEADLOCK: the server has rolled it back, after a deadlock for instance.
_ROLLED_BACK = (1402, 1613, 1614)
# CR_SERVER_GONE_ERROR, CR_SERVER_LOST: code under test has had its own connection killed.
_LOST = (2006, 2013)
# ER_CHECK_NOT_IMPLEMENTED: "The storage engine for the table doesn't support SAVEPOINT".
_NO_SAVEPOINTS = 1178
_INSTEAD = "Take cloned_mariadb, whose database commits for real, for this test"
_SHOWN = 200


class IsolatedConnection(Connection):
    """A connection that can be put under a test's transaction. Outside of one it is an ordinary connection."""

    _test = ""
    _is_open = False
    _commits_each = False
    _server_commits_each = False
    _last = b""
    _reading = 0
    _is_behind = False
    _has_ended = False

    async def begin_test(self, identifier: str) -> None:
        """Begin the transaction of a test.

        Args:
            identifier: Of the transaction, unlike all others on the server.
        """
        await self._own(f"XA START '{identifier}'")
        self._test = identifier
        self._commits_each = self._server_commits_each = bool(self.autocommit_mode)

    async def end_test(self) -> bool:
        """Undo all that the test has done; the connection has ended before if code under test has closed it.

        Returns:
            Whether that is done. Else an answer is still to come, and nothing can be asked over the connection.

        Raises:
            IsolationError: The test has left something that still uses the connection.
        """
        identifier, self._test = self._test, ""
        self._has_ended = True
        if self._is_behind:
            return False  # Also where asyncmy has closed it: the server may be at the statement still.
        if not self.connected or not identifier:
            return True  # The server undoes it.
        if self._reading:
            raise IsolationError(
                f"isolated_mariadb was still in use when its test ended ({_shown(self._last) or 'a statement'}): await "
                "or cancel what uses it. Its connection has been closed; later tests get another"
            )
        if getattr(self._result, "unbuffered_active", False):
            self._result.unbuffered_active = False  # Else asyncmy makes a coroutine of its end, which nothing awaits.
            return False
        for statement in (f"XA END '{identifier}'", f"XA ROLLBACK '{identifier}'"):
            try:
                await self._own(statement)
            except MySQLError as error:
                if error.args[0] in _LOST:
                    return True
                if error.args[0] not in _ROLLED_BACK:
                    raise
        return True

    async def connect(self) -> Any:
        """Connect, but not a second time within a test."""
        if self._test and not self.connected:
            raise IsolationError(
                "the connection of isolated_mariadb was closed, with which all that the test did is rolled back: it "
                f"cannot connect again. {_INSTEAD}"
            )
        return await super().connect()

    def get_transaction_status(self) -> bool:
        """Return whether code under test has a transaction open."""
        return self._is_open if self._test else bool(super().get_transaction_status())

    def get_autocommit(self) -> bool:
        """Return whether each statement is committed by itself, as code under test has asked for."""
        return self._commits_each if self._test else bool(super().get_autocommit())

    async def query(self, sql: Any, *arguments: Any, **named: Any) -> Any:
        """Run a statement; refuse a second one meanwhile, whose answer would be that of the first, or none at all."""
        if self._has_ended:
            raise ended("isolated_mariadb")
        if self._reading and self._test:
            raise IsolationError(
                "isolated_mariadb is one connection, which runs one statement at a time; it has not ended "
                f"{_shown(self._last)} yet. Code that runs several at once (asyncio.gather, tasks) needs a connection "
                "for each: take cloned_mariadb for this test"
            )
        return await super().query(sql, *arguments, **named)

    async def _execute_command(self, command: int, sql: Any) -> None:
        if self._test and command in (_QUERY, _EXECUTE, _BULK_EXECUTE, _PREPARE):
            text = sql.encode() if isinstance(sql, str) else bytes(sql)
            self._last = text if command in (_QUERY, _PREPARE) else b""
            sql = await self._instead(command, text)
        await super()._execute_command(command, sql)

    async def read_packet(self, *arguments: Any) -> Any:
        """Read a packet; an error that only a test's transaction has is told in words."""
        self._reading += 1
        try:
            return await super().read_packet(*arguments)
        except asyncio.CancelledError:
            self._is_behind = True  # After a time-out for instance: the server sends its answer nonetheless.
            raise
        except MySQLError as error:
            if self._test and error.args and error.args[0] in (_WOULD_END_IT, *_ROLLED_BACK):
                raise IsolationError(self._words(error.args[0])) from None  # Its words tell of our transaction.
            raise
        finally:
            self._reading -= 1

    async def _instead(self, command: int, text: bytes) -> bytes | str:
        """Return what to send in place of a statement, after what has to be sent before it."""
        effect = self._effect(text) if command in (_QUERY, _PREPARE) else Effect.NONE
        if effect is Effect.REFUSED or (command == _PREPARE and effect is not Effect.NONE):
            raise IsolationError(
                f"isolated_mariadb is within a transaction that is rolled back after the test, which cannot have: "
                f"{_shown(text)}. {_INSTEAD}, or say BEGIN, COMMIT, ROLLBACK or SET autocommit = … by itself"
            )
        if effect is Effect.NOTHING:
            return _NOTHING
        if effect is not Effect.NONE:
            return await self._control(effect)
        if not self._commits_each and not self._is_open and command != _PREPARE:
            await self._own(_OPEN)
            self._is_open = True
        return text

    def _effect(self, text: bytes) -> Effect:
        """Return what a statement does where the code under test is: in a transaction of its own, or between two."""
        effect = effect_of(text)
        if effect is Effect.SAVEPOINT:  # Outside of a transaction the server forgets it with the statement.
            return Effect.NOTHING if self._commits_each and not self._is_open else Effect.NONE
        asked = asked_of(text) if effect is Effect.NONE else set()
        if self._commits_each == self._server_commits_each:
            asked.discard(b"AUTOCOMMIT")
        if asked:
            raise IsolationError(
                "isolated_mariadb is within a transaction that is rolled back after the test, and the server would "
                f"tell of that, not of the code's: {_shown(text)}. {_INSTEAD}, or ask connection.get_autocommit()"
            )
        return effect

    async def _control(self, effect: Effect) -> str:
        was_open = self._is_open
        if effect is Effect.BEGIN:  # It commits what was open, as the server does.
            if was_open:
                await self._own(_CLOSE)
            self._is_open = True
            return _OPEN
        if effect in (Effect.AUTOCOMMIT_ON, Effect.AUTOCOMMIT_OFF):
            if self._commits_each == (effect is Effect.AUTOCOMMIT_ON):
                return _NOTHING  # The server ends no transaction then.
            self._commits_each = effect is Effect.AUTOCOMMIT_ON
            if not self._commits_each:
                return _NOTHING
        if effect is Effect.ROLLBACK and was_open:
            await self._own(_UNDO)
        self._is_open = False
        return _CLOSE if was_open else _NOTHING

    async def _own(self, statement: str) -> None:
        await super()._execute_command(_QUERY, statement)
        try:
            await self._read_ok_packet()
        except MySQLError as error:
            if error.args[0] != _NO_SAVEPOINTS:
                raise
            raise IsolationError(
                "the test has written to a table whose engine has no savepoints (Aria), by which isolated_mariadb "
                f"stands in for transactions. {_INSTEAD}, or use InnoDB"
            ) from error

    def _words(self, code: int) -> str:
        if code in _ROLLED_BACK:
            return (
                "the server has rolled the test's transaction back, after a deadlock or a time-out, and with it all "
                f"that the test did: isolated_mariadb cannot go on. {_INSTEAD}"
            )
        return (
            f"isolated_mariadb is within a transaction that is rolled back after the test, and the server would have "
            f"committed it for: {_shown(self._last) or 'a prepared statement'}. {_INSTEAD}"
        )


def _shown(statement: bytes) -> str:
    text = " ".join(statement.decode(errors="replace").split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
