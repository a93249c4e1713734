"""The directory of a session without Bazel's launcher: where its processes and the process of its services meet.

A FIFO in it tells of the end of the session's first process: nobody else has it open for writing, so the kernel closes
it whatever ends that process. The directory is locked for as long as somebody lives in it.
"""

from __future__ import annotations

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Directly below, as unix sockets lie in it, whose paths have 107 bytes at most. The second one is for sessions in
# sandboxes, which have a /tmp of their own.
SESSION_BASE, SHARED_SESSION_BASE = "/tmp", "/dev/shm"
SESSION_PREFIX = "rs-session."
ALIVE = "alive"
CONTROL = "control.sock"


def new_session_path(base: str = SESSION_BASE) -> str:
    """Return the path of a directory that is still to be made."""
    return f"{base}/{SESSION_PREFIX}{os.urandom(6).hex()}"


def make_session_directory(directory: str) -> list[int]:
    """Make one.

    Returns:
        The descriptors that the session's first process holds: the FIFO and the lock.

    Raises:
        OSError: There is no room for it.
    """
    os.mkdir(directory, 0o700)
    lock = lock_session_directory(directory)
    fifo = f"{directory}/{ALIVE}"
    os.mkfifo(fifo, 0o600)
    # For reading, too: else opening waits for a reader.
    return [os.open(fifo, os.O_RDWR | os.O_CLOEXEC), lock]


def lock_session_directory(directory: str) -> int:
    """Lock a directory for as long as the descriptor that is returned is open in any process.

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


def abandoned_sessions(base: str) -> Iterator[str]:
    """Give the directories of sessions that were killed before anybody watched over them; each is locked meanwhile.

    Args:
        base: Where they lie.
    """
    for name in os.listdir(base):
        path = f"{base}/{name}"
        # One that is being made is not locked yet, but has no FIFO either.
        if name.startswith(SESSION_PREFIX) and os.path.exists(f"{path}/{ALIVE}"):
            try:
                lock = lock_session_directory(path)
            except OSError:
                continue  # Somebody lives in it, or has just removed it.
            yield path
            os.close(lock)
