"""A test's own directory: files are created and read by names relative to it, and nothing leads out of it."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from realservices.contract.errors import RealServicesError


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


class BlockingFilesystem:
    """Files in a directory of the test's own.

    Args:
        root: The directory. It is made, and must not exist before.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700)
        self.root = root
        self._real_root = os.path.realpath(root)

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
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
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
        """Say whether there is a file or directory of that name."""
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
        _remove_tree(place) if place.is_dir() and not place.is_symlink() else place.unlink()

    def remove_all(self) -> None:
        """Remove the directory itself, at the end of the test."""
        _remove_tree(self.root)


class IsolatedFilesystem:
    """The same as `BlockingFilesystem` for asynchronous tests. `blocking` is the other one, on the same directory.

    The work is done in place: a test's files are small and local, and a thread per call costs more than the call.
    """

    def __init__(self, root: Path) -> None:
        self.blocking = BlockingFilesystem(root)
        self.root = root

    def path(self, name: str | os.PathLike[str] = ".") -> Path:
        """Return where ``name`` is or would be; see `BlockingFilesystem.path`."""
        return self.blocking.path(name)

    async def create_file(self, name: str | os.PathLike[str], content: str = "", *, encoding: str = "utf-8") -> Path:
        """Write a text file, with the directories above it, and return its path."""
        return self.blocking.create_file(name, content, encoding=encoding)

    async def create_binary(self, name: str | os.PathLike[str], content: bytes = b"") -> Path:
        """Write a file of bytes, with the directories above it, and return its path."""
        return self.blocking.create_binary(name, content)

    async def read_file(self, name: str | os.PathLike[str], *, encoding: str = "utf-8") -> str:
        """Return a text file's content."""
        return self.blocking.read_file(name, encoding=encoding)

    async def read_binary(self, name: str | os.PathLike[str]) -> bytes:
        """Return a file's bytes."""
        return self.blocking.read_binary(name)

    async def create_directory(self, name: str | os.PathLike[str]) -> Path:
        """Make a directory, with those above it, and return its path. It may exist already."""
        return self.blocking.create_directory(name)

    async def exists(self, name: str | os.PathLike[str]) -> bool:
        """Say whether there is a file or directory of that name."""
        return self.blocking.exists(name)

    async def list_files(self, name: str | os.PathLike[str] = ".") -> list[Path]:
        """Return all files in a directory and below, relative to the test's directory, sorted."""
        return self.blocking.list_files(name)

    async def delete(self, name: str | os.PathLike[str]) -> None:
        """Remove a file or a whole directory."""
        self.blocking.delete(name)


def _remove_tree(root: Path) -> None:
    if not root.exists():
        return
    try:
        shutil.rmtree(root)
    except PermissionError:
        # A test may have taken rights away, from a directory or from the one above it.
        for directory, _, _ in os.walk(root):
            Path(directory).chmod(stat.S_IRWXU)
        shutil.rmtree(root)
