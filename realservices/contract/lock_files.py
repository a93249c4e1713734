"""Lock files that their holders remove while they hold them, so that none is left behind."""

from __future__ import annotations

import fcntl
import os


def lock_file(path: str, how: int = fcntl.LOCK_EX | fcntl.LOCK_NB) -> int:
    """Open a lock file, made if need be, and lock it; return the descriptor. It is the one that all others see.

    Args:
        path: The file.
        how: As for flock(2); by default for this process alone, without waiting.

    Raises:
        BlockingIOError: Somebody else has it, and ``how`` says not to wait.
        OSError: It cannot be opened.
    """
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, how)
            # Its holder may have unlinked the file between our open and our lock.
            if os.path.samestat(os.fstat(lock), os.lstat(path)):
                return lock
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
