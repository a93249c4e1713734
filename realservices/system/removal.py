"""The removal of a directory tree, whatever a test did to it and whatever changes it meanwhile.

Not shutil.rmtree: its import takes 8 ms (it loads every compression library), which each test would pay; it gives up
on what a test has taken its own permissions from; and it needs a descriptor for each level of a deep tree.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# From this depth on a directory is moved to the top before it is emptied, so that no tree is too deep.
_MOST_LEVELS = 32
# A descriptor that only names a directory, also one that may not be read (open(2), Linux only).
_PATH_ONLY = getattr(os, "O_PATH", 0)
_OPEN = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str) -> None:
    """Remove a directory with all that is in it, or what else lies there; what is gone already is no error.

    It goes from directory to directory by descriptor, so that no name is resolved twice: somebody who puts a link in
    the place of a directory meanwhile leads it nowhere. It does not follow links and does not leave the file system.

    Raises:
        OSError: Something cannot be removed, for instance because it is mounted on; the rest is removed.
    """
    above, name = os.path.split(os.path.abspath(path))
    try:
        parent = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            _Removal(parent, name).run()
        else:
            os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    finally:
        os.close(parent)


def discard_tree(path: str) -> None:
    """Remove what can be removed of a directory; what cannot is left to the next one that passes by, or to `clean`."""
    try:
        remove_tree(path)
    except OSError:
        pass


class _Removal:
    """One tree while it is removed.

    Args:
        parent: A descriptor of the directory that it lies in.
        name: Its name there.
    """

    def __init__(self, parent: int, name: str) -> None:
        self._parent = parent
        self._name = name
        self._device = -1
        self._error: OSError | None = None
        self._moved = 0

    def run(self) -> None:
        """Remove it.

        Raises:
            OSError: Something is left.
        """
        top = _opened(self._name, self._parent)
        try:
            self._device = os.fstat(top).st_dev
            # What was moved to the top is found there by the next round; a round that moves nothing is the last.
            moved_before = -1
            while self._moved != moved_before:
                moved_before = self._moved
                self._empty(top, top, 0)
        finally:
            os.close(top)
        self._remove(os.rmdir, self._name, self._parent)
        if self._error:
            raise self._error

    def _empty(self, directory: int, top: int, level: int) -> None:
        # A list of names: a scan that goes on while entries vanish may miss some.
        for name in os.listdir(directory):
            try:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                continue  # Somebody else removes it, too: the guardian, or `clean`.
            if not stat.S_ISDIR(status.st_mode):
                self._remove(os.unlink, name, directory)
            elif level == _MOST_LEVELS:
                self._move_up(name, directory, top)
            else:
                self._remove_directory(name, directory, top, level)

    def _remove_directory(self, name: str, directory: int, top: int, level: int) -> None:
        try:
            child = _opened(name, directory)
        except FileNotFoundError:
            return
        except NotADirectoryError:
            self._remove(os.unlink, name, directory)  # Somebody has put something else in its place.
            return
        except OSError as error:
            self._error = self._error or error
            return
        try:
            # What is mounted here is not part of the tree; the attempt to remove it says so.
            if os.fstat(child).st_dev == self._device:
                self._empty(child, top, level + 1)
        finally:
            os.close(child)
        self._remove(os.rmdir, name, directory)

    def _move_up(self, name: str, directory: int, top: int) -> None:
        self._moved += 1
        new = f".removed.{os.getpid()}.{self._moved}"

        def move(name: str, *, dir_fd: int) -> None:
            os.rename(name, new, src_dir_fd=dir_fd, dst_dir_fd=top)

        self._remove(move, name, directory)

    def _remove(self, operation: Callable[..., None], name: str, directory: int) -> None:
        """Take an entry out of a directory, for which a test may have taken its own permission away."""
        try:
            try:
                operation(name, dir_fd=directory)
            except PermissionError:
                os.fchmod(directory, 0o700)
                operation(name, dir_fd=directory)
        except FileNotFoundError:
            pass
        except OSError as error:
            # The first one says what is in the way; later ones say that a directory is not empty.
            self._error = self._error or error


def _opened(name: str, parent: int) -> int:
    """Open a directory, also one that its owner may not read.

    Raises:
        OSError: It is gone, or no directory any more.
    """
    try:
        return os.open(name, os.O_RDONLY | _OPEN, dir_fd=parent)
    except PermissionError:
        if not _PATH_ONLY:
            raise
    # By a descriptor that cannot be led elsewhere: chmod by name would follow a link (fchmodat(2)).
    place = os.open(name, _PATH_ONLY | _OPEN, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{place}", 0o700)
    finally:
        os.close(place)
    return os.open(name, os.O_RDONLY | _OPEN, dir_fd=parent)
