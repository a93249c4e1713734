"""A test's own directory: files are created and read by names relative to it, and nothing leads out of it."""

from __future__ import annotations

import functools
import itertools
import os
import tempfile
from pathlib import Path

from realservices.clients.asynchronous_twins import in_place
from realservices.contract.errors import RealServicesError
from realservices.system.abandoned_directories import FILES, new_id, remove_abandoned_directories
from realservices.system.directory_safety import SHORT_BASES
from realservices.system.locks import make_locked_directory
from realservices.system.removal import remove_tree
from realservices.system.user_directory import user_directory

LIMIT_BYTES = 64 * 1024 * 1024

_NUMBERS = itertools.count(1)


class PathEscapesError(RealServicesError):
    """A path that leads out of the test's directory.

    Args:
        path: What was asked for.
        root: The test's directory.
        reason: How it leads out.
    """

    def __init__(self, path: str, root: Path, reason: str) -> None:
        super().__init__(
            f"{path!r} leads out of the test's own directory {root}: it {reason}; "
            "use a path relative to that directory, without '..'"
        )
        self.path = path
        self.root = root


class SizeLimitError(RealServicesError):
    """A write that would make the test's directory larger than it may be.

    Args:
        path: What was to be written.
        size_bytes: How large the directory would be.
        limit_bytes: How large it may be.
    """

    def __init__(self, path: Path, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"writing {path} would make the test's directory {size_bytes} bytes large; its limit is {limit_bytes} "
            "bytes. Write less, delete what is no longer needed, or give the filesystem a larger limit_bytes"
        )
        self.path = path
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class BlockingFilesystem:
    """Files in a directory of the test's own.

    Args:
        root: The directory. It is made, and must not exist before, unless there is a ``lock``.
        limit_bytes: How large all files together may be when one is written here: the directory is in memory on many
            machines, and a test that writes without end must not take the machine with it.
        lock: Descriptor that keeps a directory which is there already from being taken for one that was left.
    """

    def __init__(self, root: Path, *, limit_bytes: int = LIMIT_BYTES, lock: int | None = None) -> None:
        if lock is None:
            root.mkdir(mode=0o700)
        self._lock = lock
        self.root = root
        self.limit_bytes = limit_bytes
        self._real_root = os.path.realpath(root)
        # What is written is added up; the directory is measured only when that reaches the limit.
        self._most_bytes = 0

    def path(self, name: str | os.PathLike[str] = ".") -> Path:
        """Return where ``name`` is or would be.

        Raises:
            PathEscapesError: It is absolute, has a ``..``, or goes through a symbolic link to outside.
        """
        text = os.fspath(name)
        if Path(text).is_absolute():
            raise PathEscapesError(text, self.root, "is absolute")
        if ".." in Path(text).parts:
            raise PathEscapesError(text, self.root, "has a '..'")
        place = self.root / text
        real = os.path.realpath(place)
        if real != self._real_root and not real.startswith(self._real_root + os.sep):
            raise PathEscapesError(text, self.root, f"goes through a symbolic link to {real}")
        return place

    def create_file(self, name: str | os.PathLike[str], content: str = "", *, encoding: str = "utf-8") -> Path:
        """Write a text file, with the directories above it, and return its path."""
        return self.create_binary(name, content.encode(encoding))

    def create_binary(self, name: str | os.PathLike[str], content: bytes = b"") -> Path:
        """Write a file of bytes, with the directories above it, and return its path."""
        place = self.path(name)
        self._check_size(place, len(content), replaces=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place

    def append_file(self, name: str | os.PathLike[str], content: str, *, encoding: str = "utf-8") -> Path:
        """Add text to the end of a file, which is made if need be, and return its path."""
        place = self.path(name)
        added = content.encode(encoding)
        self._check_size(place, len(added), replaces=False)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("ab") as file:
            file.write(added)
        return place

    def read_file(self, name: str | os.PathLike[str], *, encoding: str = "utf-8") -> str:
        """Return a text file's content."""
        return self.read_binary(name).decode(encoding)

    def read_binary(self, name: str | os.PathLike[str]) -> bytes:
        """Return a file's bytes."""
        return self.path(name).read_bytes()

    def create_directory(self, name: str | os.PathLike[str]) -> Path:
        """Make a directory, with those above it, and return its path. It may exist already."""
        place = self.path(name)
        place.mkdir(parents=True, exist_ok=True)
        return place

    def exists(self, name: str | os.PathLike[str]) -> bool:
        """Return whether there is a file or directory of that name."""
        return self.path(name).exists()

    def list_files(self, name: str | os.PathLike[str] = ".") -> list[Path]:
        """Return all files in a directory and below, relative to the test's directory, sorted."""
        start = self.path(name)
        return sorted(found.relative_to(self.root) for found in start.rglob("*") if not found.is_dir())

    def delete(self, name: str | os.PathLike[str]) -> None:
        """Remove a file or a whole directory."""
        place = self.path(name)
        if place == self.root:
            raise PathEscapesError(os.fspath(name), self.root, "is the test's directory itself")
        remove_tree(str(place)) if place.is_dir() and not place.is_symlink() else place.unlink()

    def remove_all(self) -> None:
        """Remove the directory itself, at the end of the test."""
        remove_tree(str(self.root))
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _check_size(self, place: Path, added: int, *, replaces: bool) -> None:
        self._most_bytes += added
        if self._most_bytes <= self.limit_bytes:
            return
        self._most_bytes = _tree_bytes(self.root) + added - (_file_bytes(place) if replaces else 0)
        if self._most_bytes > self.limit_bytes:
            size, self._most_bytes = self._most_bytes, self._most_bytes - added
            raise SizeLimitError(place, size, self.limit_bytes)


class IsolatedFilesystem:
    """The same as `BlockingFilesystem` for asynchronous tests. `blocking` is the other one, on the same directory.

    The work is done in place: a test's files are small and local, and a thread per call costs more than the call.
    """

    def __init__(self, root: Path, *, limit_bytes: int = LIMIT_BYTES, lock: int | None = None) -> None:
        self.blocking = BlockingFilesystem(root, limit_bytes=limit_bytes, lock=lock)
        self.root = root

    def path(self, name: str | os.PathLike[str] = ".") -> Path:
        """Return where ``name`` is or would be; see `BlockingFilesystem.path`."""
        return self.blocking.path(name)

    create_file = in_place(BlockingFilesystem.create_file)
    create_binary = in_place(BlockingFilesystem.create_binary)
    append_file = in_place(BlockingFilesystem.append_file)
    read_file = in_place(BlockingFilesystem.read_file)
    read_binary = in_place(BlockingFilesystem.read_binary)
    create_directory = in_place(BlockingFilesystem.create_directory)
    exists = in_place(BlockingFilesystem.exists)
    list_files = in_place(BlockingFilesystem.list_files)
    delete = in_place(BlockingFilesystem.delete)


def _tree_bytes(root: Path) -> int:
    return sum(
        os.lstat(os.path.join(directory, name)).st_size  # noqa: PTH118 - twice as fast, and trees may be large
        for directory, _, names in os.walk(root)
        for name in names
    )


def _file_bytes(place: Path) -> int:
    return place.stat().st_size if place.is_file() else 0


def new_filesystem(above: str = "") -> IsolatedFilesystem:
    """Return a new, empty directory of a test's own.

    Args:
        above: Where to make it, a directory that ends with this test run; by default in this user's directory where
            the machine has its temporary files. There it is locked, so that what a killed run has left is known.

    Raises:
        InfrastructureError: There is no place for it.
    """
    # A short name: unix sockets in it must stay below 108 bytes.
    if above:
        return IsolatedFilesystem(Path(above) / f"{os.getpid()}-{next(_NUMBERS)}")
    directory = user_directory(
        dict.fromkeys((tempfile.gettempdir(), *SHORT_BASES)),
        component="filesystem",
        purpose="the files of tests",
        remedy="set TMPDIR to a directory of this user's, with room",
    )
    _remove_left(directory)
    path = f"{directory}/{FILES}{new_id()}"
    return IsolatedFilesystem(Path(path), lock=make_locked_directory(path))


@functools.cache
def _remove_left(directory: str) -> None:
    """Remove what killed runs have left; once in a process is enough."""
    remove_abandoned_directories(directory, FILES)
