"""The archive of a template: a tar that is the same for the same files, and holds equal content once.

It has a header for every file of seven databases, of which most are links. `tarfile` takes longer for these than the
server takes for a schema of 500 tables; so they are written here, in the format that host/archive.py reads.

Source of the format: "ustar Interchange Format" of POSIX.1-2017, pax.
"""

from __future__ import annotations

import hashlib
import os
import stat

from realservices.host.archive import BLOCK, DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from io import BufferedReader, BufferedWriter

_CHUNK_BYTES = 1 << 20
_END = bytes(2 * BLOCK)
_NAME_BYTES = 100
_PREFIX_BYTES = 155


def write_archive(data: str, output: str, links: Mapping[str, str]) -> dict[str, str | int]:
    """Write the data directory as a tar with fixed order, times and owners, and describe it.

    Files with the same content, which are most of those of several databases, are stored once and linked.

    Args:
        data: The directory.
        output: The archive.
        links: Directories whose files are those of another one, whatever is in them; they come last.
    """
    os.unlink(os.path.join(data, "postmaster.opts"))
    with open(output, "wb") as file:
        archive = _Archive(data, file)
        for name in _sorted_tree(data, links):
            archive.add(name)
        for directory, original in links.items():
            archive.add_linked(directory, original)
        return archive.end()


class _Archive:
    def __init__(self, data: str, file: BufferedWriter) -> None:
        self._data = data
        self._file = file
        self._digest = hashlib.sha256()
        self._size_bytes = self._copy_size_bytes = 0
        # The first file with a content, by that, and by the name of each file.
        self._first_with: dict[bytes, str] = {}
        self._original_of: dict[str, str] = {}

    def add(self, name: str) -> None:
        """Add a file, directory or link, after what it lies in."""
        path = os.path.join(self._data, name)
        status = os.lstat(path)
        if stat.S_ISDIR(status.st_mode):
            self._write(_header(name, DIRECTORY, status.st_mode))
        elif stat.S_ISLNK(status.st_mode):
            self._write(_header(name, SYMBOLIC_LINK, status.st_mode, link=os.readlink(path)))
        elif stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                self._add_file(name, status.st_mode, file)

    def add_linked(self, directory: str, original: str) -> None:
        """Add a directory with the files of another one, which has been added."""
        top = os.path.join(self._data, original)
        self._write(_header(directory, DIRECTORY, os.lstat(top).st_mode))
        for name in sorted(os.listdir(top)):
            status = os.lstat(os.path.join(top, name))
            self._copy_size_bytes += status.st_size
            if status.st_size:
                first = self._original_of[f"{original}/{name}"]
                self._write(_header(f"{directory}/{name}", HARD_LINK, status.st_mode, link=first))
            else:
                self._write(_header(f"{directory}/{name}", FILE, status.st_mode))

    def end(self) -> dict[str, str | int]:
        """Write what ends an archive, and return its description."""
        self._write(_END)
        self._file.flush()
        return {
            "digest": self._digest.hexdigest(),
            "size_bytes": self._size_bytes,
            "copy_size_bytes": self._copy_size_bytes,
        }

    def _add_file(self, name: str, mode: int, file: BufferedReader) -> None:
        size = os.fstat(file.fileno()).st_size
        self._copy_size_bytes += size
        if size:
            digest = hashlib.file_digest(file, "sha256").digest()
            original = self._original_of[name] = self._first_with.setdefault(digest, name)
            if original != name:
                self._write(_header(name, HARD_LINK, mode, link=original))
                return
            file.seek(0)
        self._size_bytes += size
        self._write(_header(name, FILE, mode, size=size))
        while chunk := file.read(_CHUNK_BYTES):
            self._write(chunk)
        self._write(bytes(-size % BLOCK))

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)


def _header(name: str, kind: bytes, mode: int, *, size: int = 0, link: str = "") -> bytes:
    """Return a member's header: owner 0, time 0."""
    encoded, prefix = os.fsencode(name), b""
    if len(encoded) > _NAME_BYTES:
        cut = encoded.find(b"/", len(encoded) - _NAME_BYTES - 1)
        prefix, encoded = encoded[:cut], encoded[cut + 1 :]
    linked = os.fsencode(link)
    if len(encoded) > _NAME_BYTES or len(prefix) > _PREFIX_BYTES or len(linked) > _NAME_BYTES:
        raise ValueError(f"the name {name!r} is too long for an archive")
    header = (
        encoded.ljust(_NAME_BYTES, b"\0")
        + b"%07o\0%07o\0%07o\0%011o\0%011o\0        " % (stat.S_IMODE(mode), 0, 0, size, 0)
        + kind
        + linked.ljust(_NAME_BYTES, b"\0")
        + b"ustar\x0000".ljust(8 + 32 + 32, b"\0")
        + b"%07o\0%07o\0" % (0, 0)
        + prefix.ljust(_PREFIX_BYTES, b"\0")
    ).ljust(BLOCK, b"\0")
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def _sorted_tree(top: str, without: Collection[str]) -> Iterator[str]:
    """Yield what lies below a directory, as paths from there, but for some directories."""
    for root, directories, files in os.walk(top):
        inner = os.path.relpath(root, top)
        prefix = "" if inner == "." else f"{inner}/"
        directories[:] = sorted(name for name in directories if prefix + name not in without)
        for name in sorted((*directories, *files)):
            yield prefix + name
