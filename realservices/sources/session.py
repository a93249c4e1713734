"""A test session: the processes that share services without a launcher, and the directory in which they meet.

The first process of a session (pytest, the controller of pytest-xdist, or a script) makes the directory and names it
in REALSERVICES_SESSION; the processes that it starts find it there. A FIFO in it tells of the first process's end:
nobody else has it open for writing, so the kernel closes it whatever ends that process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import threading
from pathlib import Path

SESSION = "REALSERVICES_SESSION"
# Directly below /tmp, as unix sockets lie in it, whose paths have 107 bytes at most.
SESSION_BASE = Path("/tmp")  # noqa: S108 - the directory is made with a random name, for its owner only
SESSION_PREFIX = "rs-session."
ALIVE = "alive"


class Session:
    """This process's view of its session.

    Attributes:
        directory: Closed to other users; gone with the session.
        token: What the session is called where others see it, for instance in names of databases.
        is_first: Whether this process is the first one, with which the session ends.
    """

    def __init__(self, directory: Path, held: list[int]) -> None:
        self.directory = directory
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
        shutil.rmtree(self.directory, ignore_errors=True)
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


def join_session() -> tuple[Session, bool]:
    """Return this process's session, and whether it was made by this call."""
    with _Current.lock:
        joined = _joined()
        if joined:
            return joined, False
        _remove_abandoned()
        _Current.session = session = _new_session()
        os.environ[SESSION] = str(session.directory)
        return session, True


def _joined() -> Session | None:
    named = os.environ.get(SESSION, "")
    current = _Current.session
    if current and str(current.directory) == named:
        return current
    if named and Path(named, ALIVE).exists():
        _Current.session = Session(Path(named), [])
        return _Current.session
    return None  # Not told of one, or of one that has ended.


def _new_session() -> Session:
    directory = SESSION_BASE / f"{SESSION_PREFIX}{secrets.token_hex(6)}"
    directory.mkdir(0o700)
    lock = _lock(directory)
    fifo = directory / ALIVE
    os.mkfifo(fifo, 0o600)
    # For reading, too: else opening waits for a reader.
    return Session(directory, [os.open(fifo, os.O_RDWR | os.O_CLOEXEC), lock])


def _lock(directory: Path) -> int:
    """Lock a directory for as long as this process lives.

    Raises:
        OSError: It is gone, or another process holds it.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_abandoned() -> None:
    """Remove the directories of sessions that were killed before anybody watched over them."""
    for directory in SESSION_BASE.glob(f"{SESSION_PREFIX}*"):
        # One that is being made is not locked yet, but has no FIFO either.
        if (directory / ALIVE).exists():
            with contextlib.suppress(OSError):
                lock = _lock(directory)
                shutil.rmtree(directory, ignore_errors=True)
                os.close(lock)


def _leave_in_child() -> None:
    # A fork without exec has its parent's descriptors; the session must not wait for such a child's end.
    if _Current.session:
        _Current.session.forget()


os.register_at_fork(after_in_child=_leave_in_child)
