"""The files that a test action left, by the addresses in its build event: local ones are read, others are told of."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlparse

from realservices.report.model import Log

TAIL_BYTES = 16_000
_MOST_XML_BYTES = 50_000_000
_MOST_JSON_BYTES = 5_000_000
_UNDECLARED = "test.outputs"
# Written by Bazel's own test runner for people who open the file in a shell.
_PAGER_LINE = b'exec ${PAGER:-/usr/bin/less} "$0" || exit 1\n'


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
        return content.text if content and not content.omitted_bytes else ""

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
                for child in sorted(path.iterdir()):
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
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    is_services = entry.filename == "services.json"
                    if is_services or entry.filename.endswith(".log"):
                        most = _MOST_JSON_BYTES if is_services else TAIL_BYTES
                        with archive.open(entry) as file:
                            yield _end_of(file, entry.filename, entry.file_size, most), is_services
        except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
            self.notes.append(f"{name}: {_reason(error)}")

    def _path(self, name: str) -> Path | None:
        uri = self._uris.get(name)
        if not uri:
            return None
        parts = urlparse(uri)
        if parts.scheme != "file":
            self.notes.append(f"{name}: not on this machine ({parts.scheme}://{parts.netloc})")
            return None
        return Path(unquote(parts.path))

    def _tail(self, name: str, path: Path, most: int = TAIL_BYTES) -> Log | None:
        try:
            with path.open("rb") as file:
                return _end_of(file, name, path.stat().st_size, most)
        except OSError as error:
            self.notes.append(f"{name}: {_reason(error)}")
            return None


def read_tail(uri: str, name: str) -> Log | None:
    """Return the end of a file that some other event names, or None."""
    return Outputs([{"name": name, "uri": uri}]).tail(name)


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
