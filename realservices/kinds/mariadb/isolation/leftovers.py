"""What a test leaves in the whole server, undone after it: databases, accounts, global variables and the like.

Whose something is the server does not tell. So it is undone when no test of any process uses the server, if it has
come while tests did: what comes between two tests of a process belongs to programs, or to fixtures of a wider scope,
and is there from then on.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.kinds.mariadb.copies import make_copy
from realservices.kinds.mariadb.isolation.server_objects import State, server_objects, undo, variables
from realservices.system.locks import SHARED, lock, try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.kinds.mariadb.isolation.session import ServerSession
    from realservices.kinds.mariadb.wire import Connection


class Leftovers:
    """One process's view of what tests leave in a server of the session's own.

    Args:
        session: What this process has on the server.
        directory: What all processes that share it share.
    """

    def __init__(self, session: ServerSession, directory: str) -> None:
        self._session = session
        self._path = Path(directory, f"{session.endpoint.name}.mariadb")
        self._original: State = {}
        # When the last test of this process ended, None before the first one.
        self._last: State | None = None
        self._descriptor = -1
        self._tests = 0
        # Tests of one process may run at the same time, too.
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch a test for the time of a ``with`` block.

        Raises:
            IsolationError: The server does not answer, or refuses.
            IsolationBrokenError: A test has removed what cannot be made anew.
        """
        with self._lock:
            if not self._tests:
                self._begin()
            self._tests += 1
        try:
            yield
        finally:
            with self._lock:
                self._tests -= 1
                if not self._tests:
                    self._end()

    def _begin(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        try:
            lock(self._descriptor, SHARED)  # Waits where another process undoes something just now.
            with self._session.connected() as connection:
                if not self._original:
                    self._original = variables(connection)
                now = server_objects(connection, self._original)
            if between := self._since_last(now) if self._known() else now:
                os.write(self._descriptor, json.dumps(between).encode() + b"\n")
        except BaseException:
            self._let_go()
            raise

    def _end(self) -> None:
        try:
            with self._session.connected() as connection:
                if try_lock(self._descriptor):
                    self._undo(connection)
                self._last = server_objects(connection, self._original)
        finally:
            self._let_go()

    def _undo(self, connection: Connection) -> None:
        now, known = server_objects(connection, self._original), self._known()
        if now != known:
            undo(
                connection,
                before=known,
                now=now,
                original=self._original,
                make_database=lambda name: make_copy(connection, self._session.blueprint, name),
            )
            self._session.renew_grants()

    def _since_last(self, now: State) -> State:
        """Return what has come, or has changed, since the last test of this process."""
        last = now if self._last is None else self._last
        return {key: value for key, value in now.items() if last.get(key) != value}

    def _known(self) -> State:
        """Return what no test has made, as all processes have noted it."""
        content = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        known: State = {}
        for line in content.splitlines():
            known |= json.loads(line)
        return known

    def _let_go(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1
