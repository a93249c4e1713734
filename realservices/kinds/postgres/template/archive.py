"""The archive of a template: a tar that is the same for the same files, and holds equal content once.

It has thousands of small files. `tarfile` takes longer for their headers than the server takes for a schema of 500
tables; so they are written here, in the format that host/archive.py reads. What a template has from the one that it
begins from is left out (base.py).

Source of the format: "ustar Interchange Format" of POSIX.1-2017, pax.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter

from realservices.host.archive import BLOCK, DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from io import BufferedWriter, FileIO

_CHUNK_BYTES = 1 << 20
_END = bytes(2 * BLOCK)
_NAME_BYTES = 100
_PREFIX_BYTES = 155


def write_archive(
    data: str, output: str, files: Mapping[str, os.stat_result], copies: Mapping[str, str], kept: Collection[str] = ()
) -> dict[str, str | int]:
    """Write the data directory as a tar with fixed order, times and owners, and describe it.

    Files with the same content are stored once and linked.

    Args:
        data: The directory.
        output: The archive.
        files: What is in it (`files_of`).
        copies: Directories whose files are those of another one; they are left out.
        kept: Files that are left out because another archive has them.

    Returns:
        The archive's SHA-256, the size of what is in it, and the size of all files.
    """
    written = [name for name in files if name not in kept]
    if kept:
        written = _without_whole_directories(written, files, kept)
    with open(output, "wb") as file:
        archive = _Archive(data, file, Counter(files[name].st_size for name in written))
        for name in written:
            archive.add(name, files[name])
        described = archive.end()
    return {**described, "copy_size_bytes": _size_with_copies(files, copies)}


def files_of(top: str, without: Collection[str] = ()) -> dict[str, os.stat_result]:
    """Return what lies below a directory, as paths from there in a fixed order, but for what is in some directories."""
    return {name: os.lstat(os.path.join(top, name)) for name in sorted_tree(top, without)}


def _without_whole_directories(
    names: Sequence[str], files: Mapping[str, os.stat_result], kept: Collection[str]
) -> list[str]:
    """Return names without the directories of which nothing has changed."""
    unchanged = _parents(kept)
    needed = {name for name in names if not stat.S_ISDIR(files[name].st_mode) or name not in unchanged}
    needed |= _parents(needed)
    return [name for name in names if name in needed]


def _parents(names: Collection[str]) -> set[str]:
    found = set()
    for name in names:
        while (name := name.rpartition("/")[0]) and name not in found:
            found.add(name)
    return found


def _size_with_copies(statuses: Mapping[str, os.stat_result], copies: Mapping[str, str]) -> int:
    sizes: Counter[str] = Counter()
    for name, status in statuses.items():
        if stat.S_ISREG(status.st_mode):
            sizes[name.rpartition("/")[0]] += status.st_size
    return sizes.total() + sum(sizes[original] for original in copies.values())


class _Archive:
    def __init__(self, data: str, file: BufferedWriter, sizes: Mapping[int, int]) -> None:
        self._data = data
        self._file = file
        self._sizes = sizes
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        # The first file with a content, by that.
        self._first_with: dict[bytes, str] = {}

    def add(self, name: str, status: os.stat_result) -> None:
        """Add a file, directory or link, after what it lies in."""
        path = os.path.join(self._data, name)
        if stat.S_ISDIR(status.st_mode):
            self._write(_header(name, DIRECTORY, status.st_mode))
        elif stat.S_ISLNK(status.st_mode):
            self._write(_header(name, SYMBOLIC_LINK, status.st_mode, link=os.readlink(path)))
        elif stat.S_ISREG(status.st_mode):
            with open(path, "rb", buffering=0) as file:
                self._add_file(name, status, file)

    def end(self) -> dict[str, str | int]:
        """Write what ends an archive, and return its description."""
        self._write(_END)
        self._file.flush()
        return {"archive_digest": self._digest.hexdigest(), "size_bytes": self._size_bytes}

    def _add_file(self, name: str, status: os.stat_result, file: FileIO) -> None:
        size = status.st_size
        # Nearly all are small: they are read once, and written with what is around them.
        content = file.read(size) if size <= _CHUNK_BYTES else b""
        if size and self._sizes[size] > 1:
            digest = (hashlib.sha256(content) if content else hashlib.file_digest(file, "sha256")).digest()
            original = self._first_with.setdefault(digest, name)
            if original != name:
                self._write(_header(name, HARD_LINK, status.st_mode, link=original))
                return
        self._size_bytes += size
        header, padding = _header(name, FILE, status.st_mode, size=size), bytes(-size % BLOCK)
        if len(content) == size:
            self._write(header + content + padding)
            return
        file.seek(0)
        self._write(header)
        while chunk := file.read(_CHUNK_BYTES):
            self._write(chunk)
        self._write(padding)

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


def sorted_tree(top: str, without: Collection[str] = ()) -> Iterator[str]:
    """Yield what lies below a directory, as paths from there, but for some directories."""
    for root, directories, files in os.walk(top):
        inner = os.path.relpath(root, top)
        prefix = "" if inner == "." else f"{inner}/"
        directories[:] = sorted(name for name in directories if prefix + name not in without)
        for name in sorted((*directories, *files)):
            yield prefix + name
