"""What every reader of a package's archive asks before it writes: does the member stay below the repository?

The archives are pinned by hash, so a refusal means that a pin was taken from an archive that nobody should unpack. As
the filter `data` of `tarfile` (https://docs.python.org/3/library/tarfile.html#extraction-filters), which zip files
have none of, and this python3 may be too old for.

Written for any `python3` a machine may have (3.8 and later), as pip_wheels.py is.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from pip_wheels import FetchError


class Members:
    """The members of one archive that have been written so far.

    Args:
        archive: Its path, for messages.
    """

    def __init__(self, archive: str) -> None:
        self._archive = os.path.basename(archive)
        self._files: set[str] = set()
        self._directories: set[str] = set()

    def add(self, path: str) -> None:
        """Note that a file is about to be written to a path below the directory.

        Raises:
            FetchError: It leaves the directory, is there already, or lies below or in the place of another one.
        """
        if path.startswith("/") or ".." in path.split("/") or posixpath.normpath(path) != path or path == ".":
            raise self._refusal(path, "its name does not stay in the directory")
        if path in self._files or path in self._directories:
            raise self._refusal(path, "it is the second member of this name")
        parent = posixpath.dirname(path)
        while parent:
            if parent in self._files:
                raise self._refusal(path, "it lies below a file or link of the archive, " + repr(parent))
            self._directories.add(parent)
            parent = posixpath.dirname(parent)
        self._files.add(path)

    def check_link(self, path: str, target: str) -> None:
        """Look at the target of a symbolic link.

        Raises:
            FetchError: It does not stay in the directory. It may go up at its beginning only: later it would go up
                from wherever another link leads.
        """
        parts = [part for part in target.split("/") if part not in ("", ".")]
        ups = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
        if not target or target.startswith("/") or ".." in parts[ups:] or ups > path.count("/"):
            raise self._refusal(path, "it links to " + repr(target) + ", which does not stay in the directory")

    def _refusal(self, path: str, cause: str) -> FetchError:
        return FetchError(f"{self._archive} is not unpacked: member {path!r}: {cause}")


def matches(path: str, patterns: list[str]) -> bool:
    """Return whether a path is like one of the patterns, in which `*` also matches `/`."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def relocated(path: str, relocate: list[list[str]]) -> str:
    """Return where a member goes.

    Args:
        path: the member.
        relocate: pairs of the beginning of a path and what takes its place; the first that fits counts.
    """
    for beginning, place in relocate:
        if path.startswith(beginning):
            return place + path[len(beginning) :]
    return path


@contextlib.contextmanager
def told_if_damaged(archive: str) -> Iterator[None]:
    """Say in words that an archive cannot be read.

    Raises:
        FetchError: It cannot be.
    """
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError) as error:
        name = os.path.basename(archive)
        raise FetchError(f"{name} is not unpacked: it is damaged: {error or type(error).__name__}") from None
