"""One database of a test's own, shared by all fixtures of the test that are a client of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from realservices.isolation.own_process import OwnProcess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.kinds.postgres.isolation.clone import Clone

# A test seldom has more connections, and seldom do more than two databases serve a process in turn.
_MOST_IDLE = 6


class Session(Protocol):
    """A connection as its driver has it, while no test uses it."""

    @property
    def pid(self) -> int:
        """The process id of its backend."""
        ...

    def close(self) -> None:
        """End it."""
        ...

    def is_alone(self) -> bool:
        """Return whether it still serves, and no other code than ours has it."""
        ...

    def is_as_new(self) -> bool:
        """Return whether it is as one that begins now."""
        ...


class IdleSessions:
    """Sessions that were reset after a test, for the next one that gets the same database by the same driver."""

    def __init__(self) -> None:
        self._process = OwnProcess()
        self._lock = threading.Lock()
        self._idle: list[tuple[str, Clone, Session]] = []

    def take(self, driver: str, clone: Clone, *, asks: bool) -> Session | None:
        """Return one and forget it; None: there is none. A forked child has none, those here are its parent's.

        Args:
            driver: Whose it is.
            clone: Where it is connected.
            asks: Ask the server whether it is as one that begins now. Between two tests it is.
        """
        while session := self._pop(driver, clone) if self._process.is_this else None:
            if session.is_alone() and (not asks or session.is_as_new()):
                return session
            session.close()
        return None

    def put(self, driver: str, clone: Clone, session: Session) -> None:
        """Keep one; the one that has waited longest makes room for it."""
        with self._lock:
            self._idle.append((driver, clone, session))
            surplus, self._idle = self._idle[:-_MOST_IDLE], self._idle[-_MOST_IDLE:]
        _close(surplus)

    def pids(self, clone: Clone) -> list[int]:
        """Return the backends that are connected to a database."""
        with self._lock:
            return [session.pid for _, its_clone, session in self._idle if its_clone == clone]

    def drop(self, clone: Clone) -> None:
        """End those that are connected to a database."""
        with self._lock:
            dropped = [idle for idle in self._idle if idle[1] == clone]
            self._idle = [idle for idle in self._idle if idle[1] != clone]
        _close(dropped)

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            dropped, self._idle = self._idle, []
        _close(dropped)

    def _pop(self, driver: str, clone: Clone) -> Session | None:
        with self._lock:
            for index in reversed(range(len(self._idle))):
                if self._idle[index][:2] == (driver, clone):
                    return self._idle.pop(index)[2]
        return None


class DatabaseLease:
    """A database for the time of one test.

    Attributes:
        clone: The database.
        idle: Sessions of earlier tests.
        process: Whose it is.
        keeps: Whether sessions may outlive the test, as the database does.
        is_used: A client of the test has been connected to it.
        is_known: Code of the test may know how to connect to it, also when the test is over.
    """

    def __init__(self, clone: Clone, idle: IdleSessions, *, keeps: bool) -> None:
        self.clone = clone
        self.idle = idle
        self.process = OwnProcess()
        self.keeps = keeps
        self.is_known = False
        self.is_used = False

    def take(self, driver: str) -> Any:
        """Return an idle session, as its driver has kept it; None: there is none, or none as new ones are now."""
        return self.idle.take(driver, self.clone, asks=self.begin_connection())

    def begin_connection(self) -> bool:
        """Begin a connection of the test; return whether an earlier one may have changed what new ones are like."""
        is_used, self.is_used = self.is_used, True
        return is_used


def _close(dropped: Iterable[tuple[str, Clone, Session]]) -> None:
    for _, _, session in dropped:
        session.close()
