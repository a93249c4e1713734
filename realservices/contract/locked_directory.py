"""Directories that are locked for as long as somebody uses them, so that a killed user's are told from a living one's.

Who uses a directory holds a shared lock on it, and the kernel lets go of it with the process, however that ends. Who
removes what others have left takes the exclusive lock. A directory is made under another name and renamed when it is
locked: one that bears its name and is not locked has been left.
"""

from __future__ import annotations

import fcntl
import os

UNFINISHED = "unfinished."
"""How the name of a directory begins that is not locked yet."""


def make_locked_directory(path: str) -> int:
    """Make a directory for this user only; return the descriptor that keeps it locked while any process has it open.

    Raises:
        OSError: It cannot be made, or is there already.
    """
    above, name = os.path.split(path)
    unfinished = f"{above}/{UNFINISHED}{name}"
    os.mkdir(unfinished, 0o700)
    descriptor = -1
    try:
        descriptor = os.open(unfinished, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
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
    return _locked(path, fcntl.LOCK_SH)


def lock_left_directory(path: str) -> int:
    """Lock a directory of this user's that nobody uses any more, in order to remove it; return the descriptor, or -1.

    Nobody can begin to use it meanwhile. -1: somebody uses it, it has just gone, or it is somebody else's.
    """
    try:
        descriptor = _locked(path, fcntl.LOCK_EX)
    except OSError:
        return -1
    if os.fstat(descriptor).st_uid == os.geteuid():
        return descriptor
    os.close(descriptor)
    return -1


def _locked(path: str, kind: int) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        # Before it was locked, it may have been taken for one that was left.
        if not os.path.samestat(os.lstat(path), os.fstat(descriptor)):
            raise FileNotFoundError(2, os.strerror(2), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
