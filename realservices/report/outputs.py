"""The files that a test action left, by the addresses in its build event: local ones are read, others are told of."""

from __future__ import annotations

import errno
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlparse

from realservices.contract.shapes import is_text, shown
from realservices.report.report_model import Log

TAIL_BYTES = 16_000
_MOST_XML_BYTES = 50_000_000
_MOST_JSON_BYTES = 5_000_000
_MOST_MEMBERS = 1_000
_MOST_MEMBER_BYTES = 500_000_000
_UNDECLARED = "test.outputs"
# Written by Bazel's own test runner for people who open the file in a shell.
_PAGER_LINE = b'exec ${PAGER:-/usr/bin/less} "$0" || exit 1\n'


# What zipfile and the decompressors behind it raise at what is no archive, or is encrypted.
_DAMAGE = (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error)


class Outputs:
    """The files of one test action.

    Attributes:
        notes: What could not be read, and why.

    Args:
        entries: The event's ``testActionOutput``: names and URIs.
    """

    def __init__(self, entries: Sequence[dict[str, Any]]) -> None:
        self._uris = {entry.get("name", ""): entry.get("uri", "") for entry in entries}
        self.notes: list[str] = []

    def text(self, name: str) -> str:
        """Return the content of a small file, or ""."""
        path = self._path(name)
        content = self._tail(name, path, _MOST_XML_BYTES) if path else None
        if content and content.omitted_bytes:
            self.notes.append(f"{name}: has more than {_MOST_XML_BYTES // 1_000_000} MB")
            return ""
        return content.text if content else ""

    def tail(self, name: str) -> Log | None:
        """Return the end of a file, or None."""
        path = self._path(name)
        return self._tail(name, path) if path else None

    def undeclared(self) -> Iterator[tuple[Log, bool]]:
        """Go through the files that the test itself left, however Bazel keeps them: zipped, or in a directory.

        Yields:
            The end of each log, or the whole of ``services.json``, and whether it is the latter.
        """
        for name in [name for name in self._uris if name.startswith(_UNDECLARED) and "_manifest" not in name]:
            path = self._path(name)
            if path is None:
                continue
            if path.is_dir():
                try:
                    children = sorted(path.iterdir())
                except OSError as error:
                    self.notes.append(f"{name}: {_reason(error)}")
                    continue
                for child in children:
                    yield from self._kept(child.name, child)
            elif path.suffix == ".zip":
                yield from self._zipped(name, path)
            else:
                yield from self._kept(path.name, path)

    def _kept(self, name: str, path: Path) -> Iterator[tuple[Log, bool]]:
        is_services = name == "services.json"
        if is_services or name.endswith(".log"):
            log = self._tail(name, path, _MOST_JSON_BYTES if is_services else TAIL_BYTES)
            if log:
                yield log, is_services

    def _zipped(self, name: str, path: Path) -> Iterator[tuple[Log, bool]]:
        try:
            with _regular(path) as whole, zipfile.ZipFile(whole) as archive:
                wanted = [each for each in archive.infolist() if each.filename.endswith((".log", "services.json"))]
                for entry in wanted[:_MOST_MEMBERS]:
                    is_services = entry.filename == "services.json"
                    if (is_services or entry.filename.endswith(".log")) and (log := self._member(archive, entry)):
                        yield log, is_services
        except _DAMAGE as error:
            self.notes.append(f"{name}: {_reason(error)}")
            return
        if len(wanted) > _MOST_MEMBERS:
            self.notes.append(f"{name}: has {len(wanted)} logs; the first {_MOST_MEMBERS} are here")

    def _member(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Log | None:
        """Return the end of an archive's member. The way there leads through all of it, so it may not be too long."""
        if entry.file_size > _MOST_MEMBER_BYTES:
            self.notes.append(f"{entry.filename}: has {entry.file_size // 1_000_000} MB in its archive")
            return None
        most = _MOST_JSON_BYTES if entry.filename == "services.json" else TAIL_BYTES
        try:
            with archive.open(entry) as file:
                return _end_of(file, entry.filename, entry.file_size, most)
        except _DAMAGE as error:
            self.notes.append(f"{entry.filename}: {_reason(error)}")
            return None

    def _path(self, name: str) -> Path | None:
        uri = self._uris.get(name)
        if not uri:
            return None
        try:
            parts = urlparse(uri)
        except ValueError as error:
            self.notes.append(f"{name}: {shown(uri)} is no address: {error}")
            return None
        if "\0" in unquote(parts.path) or not is_text(parts.path):
            self.notes.append(f"{name}: {shown(uri)} is no address of a file")
            return None
        if parts.scheme != "file":
            self.notes.append(f"{name}: not on this machine ({parts.scheme}://{parts.netloc})")
            return None
        return Path(unquote(parts.path))

    def _tail(self, name: str, path: Path, most: int = TAIL_BYTES) -> Log | None:
        try:
            with _regular(path) as file:
                return _end_of(file, name, os.fstat(file.fileno()).st_size, most)
        except OSError as error:
            self.notes.append(f"{name}: {_reason(error)}")
            return None


def read_tail(uri: str, name: str) -> Log | None:
    """Return the end of a file that some other event names, or None."""
    return Outputs([{"name": name, "uri": uri}]).tail(name)


def _regular(path: Path) -> BinaryIO:
    """Open a file; a FIFO or a device would be read without end.

    Raises:
        OSError: It cannot be opened, or is none.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind):
        os.close(descriptor)
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR)) if stat.S_ISDIR(kind) else OSError("it is no file")
    return os.fdopen(descriptor, "rb")


def _end_of(file: BinaryIO | Any, name: str, size: int, most: int) -> Log:
    """Return the last whole lines that fit, and how much was left out."""
    start = max(0, size - most)
    file.seek(start)
    content = file.read(most + len(_PAGER_LINE))
    if start:
        line_end = content.find(b"\n") + 1  # 0 where there is none: then a part of a line is better than nothing.
        content, start = content[line_end:], start + line_end
    elif content.startswith(_PAGER_LINE):
        content = content.removeprefix(_PAGER_LINE)
    return Log(name, content.decode("utf-8", errors="replace"), start)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no longer there"
    words = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f"cannot be read: {words}"
