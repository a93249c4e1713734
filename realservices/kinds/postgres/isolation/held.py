"""A test's transaction, which is rolled back: what is sent so that statements behave as outside of it.

This is the decision, without input or output (guarded_protocol.py sends). Each statement of code under test stands
behind a savepoint, to which a failure returns; a transaction of code under test is a savepoint, too. Where something
hangs on a COMMIT, that is not enough, and the test's transaction is committed for real.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

from realservices.kinds.postgres.isolation.statements import BEGIN, COMMIT, ROLLBACK, Control

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.kinds.postgres.isolation.needs import Needs
    from realservices.kinds.postgres.isolation.traits import Traits

_STATEMENT = "realservices_statement"
_TRANSACTION = "realservices_transaction"


class HeldTransaction:
    """One test's.

    Attributes:
        is_open: Code under test has a transaction open.
        hangs: Something hangs on the COMMIT of that.
        has_old_clock: Code under test may have seen a time at which its transaction did not begin.
        is_read_only: Code under test wanted its transaction to be so.
        prelude: Texts that it has begun with, as long as its modes can still be set.

    Args:
        traits: Those of its database.
        follows_clock: Commit for real where a statement may use the time and would find an old one.
    """

    def __init__(self, traits: Traits, *, follows_clock: bool) -> None:
        self._traits = traits
        self._follows_clock = follows_clock
        self._clock_is_anywhere = False
        self._schema_is_old = False  # The traits say nothing of what the test has made.
        # With a random name: if it is gone in the end, other code has ended the transaction.
        self._marker = f"realservices_{secrets.token_hex(8)}"
        self._is_begun = False  # In the server.
        self._is_empty = True  # Nothing was done in it that counts as committed.
        self._is_fresh = False  # Nothing was done since the latest savepoint.
        self._has_failed = False  # Back to the savepoint first. A cancelled task cannot do that.
        self._was_empty = True  # When code under test began its transaction.
        self._is_first = True  # Nothing was done in the transaction of code under test, apart from the prelude.
        self.prelude: list[str] = []
        self.is_open = False
        self.hangs = False
        self.has_old_clock = False
        self.is_read_only = False

    # Decisions

    def hangs_on_commit(self, sql: str, needs: Needs) -> bool:
        """Return whether something of a text happens at the end of its transaction, or wants one at the top."""
        return needs.hangs or self._traits.hanging.is_in(sql, needs)

    def must_commit(self, sql: str, needs: Needs) -> bool:
        """Return whether a text outside of a transaction cannot run within the test's."""
        if self.hangs_on_commit(sql, needs):
            return True
        if needs.steps and not can_be_held(needs.steps):
            return True
        if self._is_empty or not self.reads_clock(sql, needs):
            return False
        if not self._follows_clock and not needs.steps:
            self.has_old_clock = True
        return self._follows_clock

    def note(self, sql: str, needs: Needs) -> None:
        """Take note of a text within a transaction of code under test."""
        self.hangs = self.hangs or self.hangs_on_commit(sql, needs)
        self.has_old_clock = self.has_old_clock or (not self._was_empty and self.reads_clock(sql, needs))
        if needs.is_prelude and self._is_first:
            self.prelude.append(sql)
        else:
            self._is_first = False

    @contextlib.contextmanager
    def failure_noted(self) -> Iterator[None]:
        """Take note of a failure within a transaction of code under test: it does not begin anew after that."""
        try:
            yield
        except BaseException:
            self._is_first = False
            raise

    def note_savepoint(self) -> None:
        """Take note of a savepoint, or the like, within a transaction of code under test."""
        self._is_first = False

    def note_schema(self, sql: str, needs: Needs) -> None:
        """Take note of what a test changes in its schema."""
        if needs.changes_schema and self.reads_clock(sql, needs):
            self._clock_is_anywhere = True
        self._schema_is_old = self._schema_is_old or needs.changes_schema

    @property
    def may_restart(self) -> bool:
        """Whether the transaction of code under test may as well begin now."""
        return self.is_open and self._is_first

    @property
    def stands_alone(self) -> bool:
        """Whether nothing but the transaction of code under test would be committed with it."""
        return self._was_empty

    # What to send

    def before_statement(self, *, reads_clock: bool) -> str:
        """Return what precedes a statement outside of a transaction; empty: nothing."""
        if self._is_fresh and not (self._is_empty and reads_clock):
            return ""
        if self._is_empty:  # The transaction begins with it, for the sake of its time.
            begin = f"BEGIN; SAVEPOINT {self._marker}; SAVEPOINT {_STATEMENT}"
            return f"ROLLBACK; {begin}" if self._is_begun else begin
        if self._has_failed:
            return f"ROLLBACK TO SAVEPOINT {_STATEMENT}"
        return f"RELEASE SAVEPOINT {_STATEMENT}; SAVEPOINT {_STATEMENT}"

    def before_transaction(self, *, read_only: bool) -> str:
        """Return what begins a transaction of code under test."""
        before = self.before_statement(reads_clock=True)
        mode = "; SET TRANSACTION READ ONLY" if read_only else ""
        return f"{before}{'; ' if before else ''}SAVEPOINT {_TRANSACTION}{mode}"

    def commit_transaction(self) -> str:
        """Return what ends one on whose COMMIT nothing hangs. It is refused where the transaction has failed."""
        return f"RELEASE SAVEPOINT {_TRANSACTION}"

    def commit_all(self, commit: str) -> str:
        """Return what ends one for real, with all that counts as committed.

        What is deferred is done first: where that fails, the transaction of code under test can be undone alone.
        """
        return f"SET CONSTRAINTS ALL IMMEDIATE; {commit}"

    def roll_back_transaction(self) -> str:
        """Return what undoes a transaction of code under test."""
        return (
            "ROLLBACK" if self._was_empty else f"ROLLBACK TO SAVEPOINT {_TRANSACTION}; RELEASE SAVEPOINT {_TRANSACTION}"
        )

    def commit(self) -> str:
        """Return what commits the test's transaction, where code under test has none open; empty: nothing is begun."""
        if self._is_empty:
            return "ROLLBACK" if self._is_begun else ""
        back = f"ROLLBACK TO SAVEPOINT {_STATEMENT}; " if self._has_failed else ""
        return f"{back}RELEASE SAVEPOINT {self._marker}; COMMIT"

    def end(self) -> str:
        """Return what undoes everything in the end; empty: nothing is begun."""
        if not self._is_begun:
            return ""
        return "ROLLBACK" if self._is_empty else f"ROLLBACK TO SAVEPOINT {self._marker}; ROLLBACK"

    # What has happened

    def has_begun(self) -> None:
        """What precedes a statement was sent."""
        self._is_begun = self._is_fresh = True
        self._has_failed = False

    def has_done(self, *, only_reads: bool = False) -> None:
        """A statement is sent. One that only reads leaves nothing that a failure after it could undo."""
        if not only_reads:
            self._is_fresh = self._is_empty = False

    def has_failed(self, *, was_empty: bool) -> None:
        """A statement, or what precedes it, has failed or may have."""
        self._is_begun = self._has_failed = True
        self._is_fresh, self._is_empty = False, was_empty

    def has_opened(self, *, read_only: bool) -> None:
        """Code under test has begun a transaction."""
        self.has_begun()
        self.is_open, self.hangs, self.is_read_only = True, False, read_only
        self._was_empty, self._is_first, self.prelude = self._is_empty, True, []
        self.has_done()

    def has_closed(self, *, undone: bool) -> None:
        """The transaction of code under test is over, in the server, too."""
        self.is_open = self.hangs = False
        self._is_fresh = undone
        if undone and self._was_empty:
            self.has_lost_all()

    def has_lost_all(self) -> None:
        """The test's transaction is gone from the server, with all that was in it."""
        self.is_open = self.hangs = False
        self._is_begun = self._is_fresh = self._has_failed = False
        self._is_empty = True

    @property
    def is_begun(self) -> bool:
        """Whether there is a transaction in the server."""
        return self._is_begun

    @property
    def is_empty(self) -> bool:
        """Whether nothing was done that counts as committed."""
        return self._is_empty

    def only_reads(self, sql: str, needs: Needs) -> bool:
        """Return whether a text changes nothing in the database."""
        return needs.only_reads and not self._schema_is_old and not self._traits.writing.is_in(sql, needs)

    def reads_clock(self, sql: str, needs: Needs) -> bool:
        """Return whether a text may use the time at which its transaction began."""
        is_control = any(isinstance(step, Control) for step in needs.steps)
        return (
            needs.reads_clock
            or self._clock_is_anywhere
            or self._traits.clock.is_in(sql, needs)
            or (is_control and self._traits.clock.is_in_writes)
        )


def can_be_held(steps: Sequence[str | Control]) -> bool:
    """Return whether statements that begin outside of a transaction can be done one by one, with savepoints.

    Sent together, those outside of a transaction are one of their own, which a BEGIN among them continues.
    """
    is_open = False
    for number, step in enumerate(steps):
        if isinstance(step, str):
            if not is_open and number < len(steps) - 1:
                return False
        elif step.action == BEGIN and not is_open and not step.is_special:
            is_open = True
        elif step.action in (COMMIT, ROLLBACK) and is_open and not step.chain:
            is_open = False
        elif not is_open or step.action in (BEGIN, COMMIT, ROLLBACK):
            return False
    return True
