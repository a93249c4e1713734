"""Caches of directories that many processes share: each is made once, whole or not at all, and kept while it is used.

Beside the directory NAME lie two lock files. Who uses it holds NAME.lock shared; who makes it holds a mutex, too, so
that the others wait instead of making it again. A directory is made as NAME.PID.partial and renamed. Who removes one
has NAME.lock to itself. Lock files go with their directory, unlinked while locked: a process that has opened a removed
one sees another inode under its name, and tries again.

What killed processes left is removed by the next one that makes a directory, of whatever name: many of them nobody will
ever ask for again. `python -m realservices clean` does so, too. A process that finds its own directory does not look.
"""

from __future__ import annotations

import errno
import os
import stat

from realservices.contract.environment_numbers import number_from
from realservices.system import locks
from realservices.system.locks import SHARED, lock_file
from realservices.system.removal import discard_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LOCK, PARTIAL = "lock", "partial"
_DEFAULT_LIMIT_MB, _MOST_MB = 512, 1 << 24
_MOST_DIGITS = 20


class Lease:
    """A directory that stays in place until `release`.

    Attributes:
        path: The directory. Nobody may write to it.
    """

    def __init__(self, path: str, lock: int) -> None:
        self.path = path
        self._lock = lock

    def release(self) -> None:
        """Let go of the directory; it may then be removed to make room."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class DirectoryCache:
    """The directories of one kind.

    Args:
        path: Where they are; made if need be.
        mutex: The ending of the lock files of those who make one.
        is_whole: Whether a directory of the user's own has what it must have.
        size_of: How much one takes.

    Raises:
        OSError: It cannot be made, or is not the user's own.
    """

    def __init__(
        self,
        path: str,
        mutex: str,
        *,
        is_whole: Callable[[str], bool] = lambda _: True,
        size_of: Callable[[str], int],
    ) -> None:
        self.path = path
        self._mutex = mutex
        self._is_whole = is_whole
        self._size_of = size_of
        os.makedirs(path, mode=0o700, exist_ok=True)
        status = os.lstat(path)
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and status.st_mode & 0o022:
            os.chmod(path, 0o700)  # Made with a generous umask. What is in it is looked at one by one.
        if not is_own_directory(path):
            raise _taken(path)

    def lease(self, name: str, make: Callable[[str], None], make_room: Callable[[], None]) -> Lease:
        """Return the directory of this name, made first if there is none.

        Args:
            name: Its name, without dots.
            make: Makes it at the path that it is given, or leaves nothing there.
            make_room: Called before.

        Raises:
            OSError: It cannot be made, or something else has its name and cannot be removed.
        """
        path = f"{self.path}/{name}"
        lock = lock_file(f"{path}.{LOCK}", SHARED, waits=True)
        try:
            if not self._is_usable(path):
                self._make_once(path, lock, make, make_room)
            os.utime(lock)
        except BaseException:
            os.close(lock)
            raise
        return Lease(path, lock)

    def lease_made(self, name: str) -> Lease | None:
        """Return the directory of this name if there is one; nobody makes it now.

        Raises:
            OSError: Its lock cannot be opened.
        """
        path = f"{self.path}/{name}"
        if not self._is_usable(path):
            return None
        lock = lock_file(f"{path}.{LOCK}", SHARED, waits=True)
        if not self._is_usable(path):  # It has been removed meanwhile.
            os.close(lock)
            return None
        os.utime(lock)
        return Lease(path, lock)

    def kept(self) -> list[tuple[float, str, int]]:
        """Return last use, name and size of every directory, in no order."""
        found = []
        for entry in os.scandir(self.path):
            if "." not in entry.name and entry.is_dir(follow_symlinks=False):
                try:
                    used, size = self._use_and_size(entry.path)
                    found.append((used, entry.name, size))
                except OSError:
                    continue  # Another process is removing it.
        return found

    def shrink(self, limit_bytes: int, *, needed_bytes: int = 0, has_room: Callable[[], bool] = lambda: True) -> None:
        """Remove directories that no process uses, the least recently used first, until the others keep to a limit.

        Args:
            limit_bytes: What all may take.
            needed_bytes: Of that, what is to be left for one that is about to be made.
            has_room: Whether the file system has room enough, too.
        """
        kept = self.kept()
        used = sum(size for _, _, size in kept)
        for _, name, size in sorted(kept):
            if used + needed_bytes <= limit_bytes and has_room():
                return
            used -= size * self.evict(name)

    def _use_and_size(self, path: str) -> tuple[float, int]:
        """Return when a directory was last used, and its size, which is measured once and noted in its lock file."""
        lock = os.open(f"{path}.{LOCK}", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            status = os.fstat(lock)
            noted = os.pread(lock, _MOST_DIGITS, 0)
            if noted.isdigit():
                return status.st_mtime, int(noted)
            size = self._size_of(path)
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d" % size, 0)
            os.utime(lock, ns=(status.st_atime_ns, status.st_mtime_ns))  # That was no use of it.
            return status.st_mtime, size
        finally:
            os.close(lock)

    def evict(self, name: str) -> bool:
        """Remove a directory and its locks, and return whether that was possible: nobody uses it."""
        path = f"{self.path}/{name}"
        lock = _try_lock(f"{path}.{LOCK}")
        if lock is None:
            return False
        try:
            self._remove(path)
            self._unlink_locks(path)
        except OSError:
            return False
        finally:
            os.close(lock)
        return True

    def remove_left(self) -> None:
        """Remove what killed processes have left half made, and the locks of directories that are gone."""
        self._remove_abandoned("")

    def _make_once(self, path: str, lock: int, make: Callable[[str], None], make_room: Callable[[], None]) -> None:
        # A lock of its own: those who are done keep the other one for as long as they use the directory, so nobody can
        # have that alone.
        mutex = lock_file(f"{path}.{self._mutex}", waits=True)
        try:
            if self._is_usable(path):
                return
            self._remove_abandoned(os.path.basename(path))
            self._clear(path, lock)
            make_room()
            partial = f"{path}.{os.getpid()}.{PARTIAL}"
            make(partial)
            try:
                os.rename(partial, path)
            except OSError:
                discard_tree(partial)
                raise
        finally:
            os.close(mutex)

    def _is_usable(self, path: str) -> bool:
        return is_own_directory(path) and self._is_whole(path)

    def _clear(self, path: str, lock: int) -> None:
        """Remove what has the name and is not the directory that it should be, if nobody uses it."""
        if not os.path.lexists(path):
            return
        if not locks.try_lock(lock):
            raise _taken(path)
        try:
            self._remove(path)
        except OSError:
            raise _taken(path) from None
        locks.lock(lock, SHARED)

    def _remove(self, path: str) -> None:
        # Renamed first: who gets the lock afterwards must not find half a directory.
        partial = f"{path}.{os.getpid()}.{PARTIAL}"
        os.rename(path, partial)
        discard_tree(partial)

    def _remove_abandoned(self, own: str) -> None:
        """Remove what killed processes left; the caller is the one that makes ``own``."""
        endings: dict[str, list[str]] = {}
        for entry in os.listdir(self.path):
            name, _, ending = entry.partition(".")
            endings.setdefault(name, []).append(ending)
        for name, found in endings.items():
            partials = [f"{self.path}/{name}.{ending}" for ending in found if ending.endswith(PARTIAL)]
            if name == own:
                _discard(partials)
            elif partials or "" not in found:
                self._remove_left(f"{self.path}/{name}", partials)

    def _remove_left(self, path: str, partials: list[str]) -> None:
        lock = _try_lock(f"{path}.{LOCK}")
        if lock is None:
            return  # Somebody makes it just now, or has.
        try:
            _discard(partials)
            if not os.path.lexists(path):
                self._unlink_locks(path)
        except OSError:
            pass
        finally:
            os.close(lock)

    def _unlink_locks(self, path: str) -> None:
        """Remove the locks of a directory that is gone; who has the first one, as the caller does, has both."""
        for ending in (self._mutex, LOCK):
            try:
                os.unlink(f"{path}.{ending}")
            except FileNotFoundError:
                continue


def cache_limit_bytes(variable: str) -> int:
    """Return how much a cache may take, as an environment variable says in megabytes.

    Raises:
        ManifestError: The variable says something else than a number.
    """
    return number_from(variable, _DEFAULT_LIMIT_MB, 0, _MOST_MB, "megabytes") << 20


def is_own_directory(path: str) -> bool:
    """Return whether this is a directory, and no link, that belongs to this user and that only this user writes to."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _taken(path: str) -> OSError:
    return OSError(errno.EEXIST, "this name is taken by what is not a directory of this user alone; remove it", path)


def _discard(paths: list[str]) -> None:
    for path in paths:
        discard_tree(path)


def _try_lock(path: str) -> int | None:
    """Lock what nobody uses, makes or removes; return the descriptor, or None if somebody does."""
    try:
        return lock_file(path)
    except OSError:
        return None
