"""The directory of a session without Bazel's launcher: where its processes and the process of its services meet.

A FIFO in it tells of the end of the session's first process: nobody else has it open for writing, so the kernel closes
it whatever ends that process. The directory is locked for as long as somebody lives in it.
"""

from __future__ import annotations

import os

from realservices.system.abandoned_directories import SESSION, new_id
from realservices.system.directory_safety import SHORT_BASES
from realservices.system.locks import make_locked_directory
from realservices.system.user_directory import user_directory

ALIVE = "alive"


def new_session_path() -> str:
    """Return the path of a directory that is still to be made.

    Raises:
        InfrastructureError: There is no place for it.
    """
    directory = user_directory(
        SHORT_BASES,
        component="session",
        purpose="the session's services",
        remedy="make room in one of these, or let this user write to it",
    )
    return f"{directory}/{SESSION}{new_id()}"


def make_session_directory(directory: str) -> list[int]:
    """Make one.

    Returns:
        The descriptors that the session's first process holds: the FIFO and the lock.

    Raises:
        OSError: There is no room for it.
    """
    lock = make_locked_directory(directory)
    fifo = f"{directory}/{ALIVE}"
    os.mkfifo(fifo, 0o600)
    # For reading, too: else opening waits for a reader.
    return [os.open(fifo, os.O_RDWR | os.O_CLOEXEC), lock]
