"""What tests leave in a server as a whole, undone after them: settings, accounts, functions and the like.

Whose something is a server does not tell. So it is undone when no test of any process uses the server, if it has
come while tests did: what comes or goes between two tests of a process belongs to programs, or to fixtures of a wider
scope, and is what there is from then on.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from realservices.system.locks import SHARED, lock, try_lock
from realservices.system.os_errors import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

State = dict[str, str]
"""What there is, by kind and name: ``database shop``, ``setting maxmemory``, …."""
# In the file, beside such keys: how many tests have claimed what, more or fewer than before; None: none has any more.
_CLAIMS = ""


class ServerLeftovers:
    """One process's view of what tests leave in one server. A kind says how to look, and how to undo.

    Args:
        path: A file that all processes that share the server share.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        # When the last test of this process ended, None before the first one.
        self._last: State | None = None
        self._descriptor = -1
        # What the file holds, which only grows.
        self._noted: State = {}
        self._claims: Counter[str] = Counter()
        self._size = 0
        self._tests = 0
        # Tests of one process may run at the same time, too.
        self._lock = threading.RLock()

    def look(self) -> State:
        """Return what there is.

        Raises:
            IsolationError: The server does not answer.
        """
        raise NotImplementedError

    def undo(self, before: State, now: State) -> None:
        """Bring the server back to what it was before.

        Raises:
            IsolationError: The server does not answer, or refuses.
            IsolationBrokenError: A test has removed what cannot be made anew.
        """
        raise NotImplementedError

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch a test for the time of a ``with`` block. Raises what `look` and `undo` raise."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def begin(self) -> None:
        """Begin a test. Raises what `look` raises, and InfrastructureError where nothing can be noted."""
        with self._lock:
            if not self._tests:
                self._begin()
            self._tests += 1

    def end(self, finish: Callable[[bool], State] | None = None) -> None:
        """End a test. Raises what `look` and `undo` raise, and what ``finish`` does.

        Args:
            finish: Ends it; is told whether it is the last one of this process; then it returns what there is.
        """
        finish = finish or self._finish
        with self._lock:
            self._tests -= 1
            if self._tests:
                finish(False)
            else:
                self._end(finish)

    def note_gone(self, keys: Iterable[str]) -> None:
        """Have no later test miss what a test has removed and `undo` cannot make anew; to be called by that."""
        self._note(dict.fromkeys(keys))

    def claim(self, key: str) -> None:
        """Say that a test is about to make or change something, and undoes it itself: it is no program's."""
        self._note({_CLAIMS: {key: 1}})

    def disclaim(self, key: str) -> None:
        """Say that it has done so."""
        self._note({_CLAIMS: {key: -1}})

    def is_shared(self, key: str) -> bool:
        """Return whether other tests have claimed something, too."""
        with self._lock:
            self._read()
            return self._claims[key] > 1

    def _finish(self, is_last: bool) -> State:
        return self.look() if is_last else {}

    def _begin(self) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            lock(self._descriptor, SHARED)  # Waits where another process undoes something just now.
            self._read()
            claimed = set(+self._claims)
            now = self.look()
            claimed |= self._read()
            if between := self._between(now, claimed):
                self._note(between)
        except OSError as error:
            self._let_go()
            raise explain(error, f"what there is before a test cannot be noted in {self._path}") from None
        except BaseException:
            self._let_go()
            raise

    def _end(self, finish: Callable[[bool], State]) -> None:
        try:
            # Before a look: what a test of another process leaves after one would be taken for a program's later.
            is_alone = try_lock(self._descriptor)
            self._last = now = finish(True)
            self._read()
            if is_alone and +self._claims:
                self._note({_CLAIMS: None})  # Of processes that were killed.
            # Where it fails, the next test that ends tries again.
            if is_alone and now != self._noted:
                self.undo(self._noted, now)
                self._last = self.look()
        finally:
            self._let_go()

    def _between(self, now: State, claimed: Container[str]) -> Mapping[str, str | None]:
        """Return what has come, changed or gone (None) since the last test of this process.

        Before the first one it is all that has come. What is not there may be missing for another process's test only,
        and what one has claimed is that test's.
        """
        if now == self._last:
            return {}
        last = self._noted if self._last is None else self._last
        found: dict[str, str | None] = {key: value for key, value in now.items() if last.get(key) != value}
        if self._last is not None:
            found |= {key: None for key in self._last if key not in now}
        return {key: value for key, value in found.items() if key not in claimed}

    def _read(self) -> set[str]:
        """Read what the file says more than before; return what was claimed there, if only for a while."""
        size, seen = os.fstat(self._descriptor).st_size, set[str]()
        for line in os.pread(self._descriptor, size - self._size, self._size).splitlines():
            said = json.loads(line)
            if _CLAIMS not in said:
                self._noted = {key: value for key, value in {**self._noted, **said}.items() if value is not None}
            elif said[_CLAIMS] is None:
                self._claims.clear()
            else:
                self._claims.update(said[_CLAIMS])
                seen.update(said[_CLAIMS])
        self._size = size
        return seen

    def _note(self, said: Mapping[str, Any]) -> None:
        os.write(self._descriptor, json.dumps(said).encode() + b"\n")

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
