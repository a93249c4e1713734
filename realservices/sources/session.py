"""A test session: the processes that share services without a launcher, and the directory in which they meet.

The first process of a session (pytest, the controller of pytest-xdist, or a script) makes the directory and names it
in REALSERVICES_SESSION; the processes that it starts find it there (system/session_directory.py). Where services are
kept warm, it takes over a directory that was made for it, with services in it.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.control.messages import SOCKET
from realservices.system.abandoned_directories import SESSION as SESSION_PREFIX
from realservices.system.abandoned_directories import remove_abandoned_directories
from realservices.system.removal import discard_tree
from realservices.system.session_directory import ALIVE, make_session_directory, new_session_path

if TYPE_CHECKING:
    from realservices.sources.warm import Warmth

SESSION = "REALSERVICES_SESSION"


def session_control() -> str:
    """Return the path of the control socket of the session that this process belongs to; "" where nothing runs yet."""
    path = Path(os.environ.get(SESSION, ""), SOCKET)
    return str(path) if path.is_socket() else ""


class Session:
    """This process's view of its session.

    Attributes:
        directory: Closed to other users; gone with the session.
        token: What the session is called where others see it, for instance in names of databases.
        is_first: Whether this process is the first one, with which the session ends.
        warmth: How its services are kept for the next session, if they are.
    """

    def __init__(self, directory: Path, held: list[int], warmth: Warmth | None = None) -> None:
        self.directory = directory
        self.warmth = warmth
        self.token = directory.name.removeprefix(SESSION_PREFIX)
        self._held = held

    @property
    def is_first(self) -> bool:
        """Whether this process is the first one, with which the session ends."""
        return bool(self._held)

    def say_farewell(self) -> None:
        """Let those who watch the FIFO know that the session ends."""
        if self.is_first:
            os.close(self._held.pop(0))

    def close(self) -> None:
        """End the session, if this is its first process."""
        if not self.is_first:
            return
        discard_tree(str(self.directory))
        self.forget()
        if os.environ.get(SESSION) == str(self.directory):
            del os.environ[SESSION]

    def forget(self) -> None:
        """Be one of the session's later processes from now on."""
        while self._held:
            os.close(self._held.pop())


class _Current:
    session: Session | None = None
    lock = threading.Lock()


def join_session(warmth: Warmth | None = None) -> tuple[Session, bool]:
    """Return this process's session, and whether it was made by this call.

    Args:
        warmth: How its services are kept for the next session, if they are; it may find some of the last one.
    """
    with _Current.lock:
        joined = _joined(warmth)
        if joined:
            return joined, False
        _Current.session = session = _taken_over(warmth) or _new_session(warmth)
        os.environ[SESSION] = str(session.directory)
        return session, True


def _joined(warmth: Warmth | None) -> Session | None:
    named = os.environ.get(SESSION, "")
    current = _Current.session
    if current and str(current.directory) == named:
        return current
    if named and Path(named, ALIVE).exists():
        _Current.session = Session(Path(named), [], warmth)
        return _Current.session
    return None  # Not told of one, or of one that has ended.


def _taken_over(warmth: Warmth | None) -> Session | None:
    found = warmth.claim() if warmth else None
    return Session(Path(found[0]), found[1], warmth) if found else None


def _new_session(warmth: Warmth | None) -> Session:
    directory = new_session_path()
    remove_abandoned_directories(os.path.dirname(directory), SESSION_PREFIX)  # noqa: PTH120 - a text
    return Session(Path(directory), make_session_directory(directory), warmth)


def _leave_in_child() -> None:
    # A fork without exec has its parent's descriptors; the session must not wait for such a child's end.
    if _Current.session:
        _Current.session.forget()


os.register_at_fork(after_in_child=_leave_in_child)
