"""The directory of a session without Bazel's launcher: where its processes and the process of its services meet.

A FIFO in it tells of the end of the session's first process: nobody else has it open for writing, so the kernel closes
it whatever ends that process. The directory is locked for as long as somebody lives in it.
"""

from __future__ import annotations

import fcntl
import os

# Directly below /tmp, as unix sockets lie in it, whose paths have 107 bytes at most.
SESSION_BASE = "/tmp"
SESSION_PREFIX = "rs-session."
ALIVE = "alive"
CONTROL = "control.sock"


def new_session_path() -> str:
    """Return the path of a directory that is still to be made."""
    return f"{SESSION_BASE}/{SESSION_PREFIX}{os.urandom(6).hex()}"


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
