"""Locks between processes: flock(2) on files and on directories.

The kernel releases a lock with the last process that has the file open, whatever ends that process. So a locked file
is in use, and an unlocked one has been left. Holders may remove a file while they have it locked; every lock is
therefore compared with the file that has the name now. No other module calls flock(2).

The third-party `filelock` does much of this, but its import takes longer than a whole Redis start.
"""

from __future__ import annotations

import fcntl
import os

SHARED, EXCLUSIVE = fcntl.LOCK_SH, fcntl.LOCK_EX
"""How a file is locked: together with others who share it, or alone."""

UNFINISHED = "unfinished."
"""How the name of a directory begins that is not locked yet."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def lock(descriptor: int, kind: int = EXCLUSIVE) -> None:
    """Lock an open file; wait for it."""
    fcntl.flock(descriptor, kind)


def try_lock(descriptor: int, kind: int = EXCLUSIVE) -> bool:
    """Lock an open file unless others hold it; return whether it is locked now."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Release a lock, also where a child process has inherited the open file."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def lock_file(path: str, kind: int = EXCLUSIVE, *, waits: bool = False) -> int:
    """Open a lock file, made if need be, and lock it; return the descriptor.

    Raises:
        BlockingIOError: Others hold it, and ``waits`` is false.
        OSError: It cannot be opened.
    """
    descriptor = -1
    while descriptor < 0:
        descriptor = _opened(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, kind, waits=waits)
    return descriptor


def lock_present_file(path: str, kind: int = EXCLUSIVE) -> int:
    """Lock a file that is there, opened for reading only, without waiting; return the descriptor.

    Raises:
        BlockingIOError: Others hold it.
        FileNotFoundError: It is gone.
        OSError: It cannot be opened.
    """
    return _present(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, kind)


class FileLock:
    """A lock file that one process holds for the time of a ``with`` block, or until `release`.

    Args:
        path: The file, which stays.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor >= 0

    def acquire(self) -> None:
        """Lock the file; wait for it."""
        self._descriptor = lock_file(self._path, waits=True)

    def try_acquire(self) -> bool:
        """Lock the file unless others hold it; return whether it is locked now."""
        try:
            self._descriptor = lock_file(self._path)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Release the lock, also where a child process has inherited the open file."""
        if self._descriptor >= 0:
            unlock(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> FileLock:
        """Acquire the lock."""
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()


def make_locked_directory(path: str) -> int:
    """Make a directory for this user only; return the descriptor that keeps it locked while any process has it open.

    It is made under another name and gets its own when it is locked, so an unlocked one of that name is a leftover.

    Raises:
        OSError: It cannot be made, or is there already.
    """
    above, name = os.path.split(path)
    unfinished = f"{above}/{UNFINISHED}{name}"
    os.mkdir(unfinished, 0o700)
    descriptor = -1
    try:
        descriptor = os.open(unfinished, _DIRECTORY)
        lock(descriptor, SHARED)
        os.rename(unfinished, path)
    except BaseException:
        if descriptor >= 0:
            os.close(descriptor)
        os.rmdir(unfinished)
        raise
    return descriptor


def share_locked_directory(path: str) -> int:
    """Use a directory that others use, too; return the descriptor that keeps it locked.

    Raises:
        OSError: It is gone, or is being removed.
    """
    return _present(path, _DIRECTORY, SHARED)


def lock_abandoned_directory(path: str) -> int:
    """Lock a directory of this user's that no process uses any more, in order to remove it.

    Returns:
        The descriptor, which keeps others from using it. -1: it is in use, has just gone, or belongs to another user.
    """
    try:
        descriptor = _present(path, _DIRECTORY, EXCLUSIVE)
    except OSError:
        return -1
    if os.fstat(descriptor).st_uid == os.geteuid():
        return descriptor
    os.close(descriptor)
    return -1


def _present(path: str, flags: int, kind: int) -> int:
    descriptor = _opened(path, flags, kind, waits=False)
    if descriptor < 0:
        raise FileNotFoundError(2, os.strerror(2), path)
    return descriptor


def _opened(path: str, flags: int, kind: int, *, waits: bool) -> int:
    """Open and lock a file; return -1 if its last holder has removed it between our open and our lock."""
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, kind if waits else kind | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            return descriptor
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return -1
