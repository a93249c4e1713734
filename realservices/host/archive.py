"""Unpacks the archives of templates: tar files that a build action wrote, which may be damaged since, or not ours.

Read once, from the beginning to the end, and hashed on the way. What is refused is what the filter `data` of the module
`tarfile` refuses (https://docs.python.org/3/library/tarfile.html#extraction-filters), and all that our writers do not
write: members that leave the directory, links that do, devices, a second member of a name, sizes that the archive does
not have. Not by that module itself: its filters depend on the interpreter's micro version, and importing it takes
longer than unpacking a small template.

Source of the format: "ustar Interchange Format" of POSIX.1-2017, pax.
"""

from __future__ import annotations

import os
import stat

from realservices.contract.errors import ArchiveError
from realservices.system.removal import discard_tree
from realservices.system.writing import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

BLOCK = 512
FILE, HARD_LINK, SYMBOLIC_LINK, DIRECTORY = b"0", b"1", b"2", b"5"
_OLD_FILE = b"\0"
_CHUNK_BYTES = 1 << 20
_OCTAL_DIGITS = frozenset(b"01234567")
_FILE_MODE, _PROGRAM_MODE, _OWNER_EXECUTES = 0o600, 0o700, 0o100
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def unpack_archive(
    archive: str, target: str, *, digest: str = "", shares_links: bool = False, replaces: bool = False
) -> None:
    """Unpack ``archive`` into the new directory ``target``, for its owner only.

    Args:
        archive: The tar file.
        target: A directory that does not exist yet; after a failure it does not exist again.
        digest: The SHA-256 that the archive must have, in hexadecimal; empty: any.
        shares_links: Whether hard links stay links. Else each becomes a file of its own, which a server may write to.
        replaces: Whether the directory is there, and files in it are replaced. One that is a hard link stays what it is
            elsewhere.

    Raises:
        ArchiveError: It is damaged, or holds what it must not.
        OSError: There is no archive, no room, or no permission.
    """
    if not replaces:
        os.mkdir(target, 0o700)
    try:
        with open(archive, "rb") as file:
            _Unpacking(_Source(file, hashes=bool(digest)), target, shares_links, replaces).run(archive, digest)
    except BaseException:
        discard_tree(target)
        raise


def member_names(archive: str) -> set[str]:
    """Return the names of all that is in an archive which was compared with its digest before.

    Raises:
        ArchiveError: It is damaged.
        OSError: It cannot be read.
    """
    names = set()
    with open(archive, "rb") as file:
        try:
            while (header := file.read(BLOCK)) != bytes(BLOCK):
                _check_sum(header.ljust(BLOCK))
                names.add(_shown_name(header).rstrip("/"))
                size = _size(header)
                file.seek(size + -size % BLOCK, os.SEEK_CUR)
        except _Refused as refused:
            raise ArchiveError(os.path.realpath(archive), "", str(refused)) from None
    return names


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """Why a member, or the whole archive, is not unpacked."""


class _Source:
    """The bytes of an archive, each read once."""

    def __init__(self, file: BinaryIO, *, hashes: bool) -> None:
        self._file = file
        self._left = os.fstat(file.fileno()).st_size
        self._hash: Any = None
        if hashes:
            import hashlib  # noqa: PLC0415 - 5 ms that only the first use of a template pays

            self._hash = hashlib.sha256()

    def headers(self) -> Iterator[bytes]:
        """Yield the header of each member, up to the block of zeros that ends the archive."""
        while (header := self.take(BLOCK)) != bytes(BLOCK):
            yield header

    def contents(self, size: int) -> Iterator[bytes]:
        """Yield what a member holds, in pieces; the padding is read, too."""
        padded = size + -size % BLOCK
        if padded > self._left:
            raise _Refused(f"it claims {size} bytes, and the archive has only {self._left} more: is it truncated?")
        while size > 0:
            chunk = self.take(min(size, _CHUNK_BYTES))
            size -= len(chunk)
            padded -= len(chunk)
            yield chunk
        self.take(padded)

    def take(self, size: int) -> bytes:
        """Read so many bytes."""
        data = self._file.read(size)
        if len(data) < size:
            raise _Refused("it ends too early: it is truncated")
        self._left -= size
        if self._hash:
            self._hash.update(data)
        return data

    def check(self, digest: str) -> None:
        """Read what is left, and compare the digest of it all, if there is one to compare with."""
        while digest and self._left > 0:
            self.take(min(self._left, _CHUNK_BYTES))
        if digest and self._hash.hexdigest() != digest:
            raise _Refused(f"its SHA-256 is {self._hash.hexdigest()}, not {digest}: its content has changed")


class _Unpacking:
    """One archive on its way into a directory."""

    def __init__(self, source: _Source, target: str, shares_links: bool, replaces: bool) -> None:
        self._source = source
        self._target = target
        self._shares_links = shares_links
        self._replaces = replaces
        # What has been made so far; only this is ever linked to or entered.
        self._made = {"": DIRECTORY}

    def run(self, archive: str, digest: str) -> None:
        name = ""
        try:
            for header in self._source.headers():
                name = ""
                name = _shown_name(header)
                self._unpack(header)
            name = ""
            self._source.check(digest)
        except _Refused as refused:
            raise ArchiveError(os.path.realpath(archive), name, str(refused)) from None

    def _unpack(self, header: bytes) -> None:
        _check_sum(header)
        kind, size = header[156:157], _size(header)
        kind = FILE if kind == _OLD_FILE else kind
        if kind not in (FILE, HARD_LINK, SYMBOLIC_LINK, DIRECTORY):
            raise _Refused(f"its type is {kind!r}; only files, directories and links are unpacked")
        name = _inner_path(_shown_name(header), "its name")
        self._check_place(name)
        if kind != FILE and size:
            raise _Refused(f"it claims {size} bytes, although it is no file")
        self._made[name] = kind
        path = f"{self._target}/{name}"
        if self._replaces and _is_replaced(path, kind):
            return
        if kind == DIRECTORY:
            os.mkdir(path, 0o700)
        elif kind == SYMBOLIC_LINK:
            os.symlink(_link_target(name, _text(header[157:257])), path)
        elif kind == HARD_LINK:
            self._link(_inner_path(_text(header[157:257]), "the name that it links to"), path)
        else:
            _write_file(path, self._source.contents(size), _mode(header))

    def _check_place(self, name: str) -> None:
        if name in self._made:
            raise _Refused("it is the second member of this name")
        parent = name.rpartition("/")[0]
        if self._made.get(parent) != DIRECTORY:
            what = "is no directory" if parent in self._made else "is not in the archive before it"
            raise _Refused(f"{parent!r}, in which it lies, {what}")

    def _link(self, original: str, path: str) -> None:
        if self._made.get(original) != FILE:
            raise _Refused(f"it links to {original!r}, which is no file in the archive before it")
        if self._shares_links:
            os.link(f"{self._target}/{original}", path)
            return
        with open(f"{self._target}/{original}", "rb", buffering=0) as source:
            mode = os.fstat(source.fileno()).st_mode
            _write_file(path, iter(lambda: source.read(_CHUNK_BYTES), b""), stat.S_IMODE(mode))


def _is_replaced(path: str, kind: bytes) -> bool:
    """Make way for a member, unless it is a directory that is there."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode) and kind == DIRECTORY:
        return True
    if stat.S_ISDIR(mode):
        raise _Refused("a directory has its name in the template that this one begins from")
    os.unlink(path)
    return False


def _write_file(path: str, chunks: Iterator[bytes], mode: int) -> None:
    descriptor = os.open(path, _NEW_FILE, mode)
    try:
        for chunk in chunks:
            write_all(descriptor, chunk)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(descriptor)


def _check_sum(header: bytes) -> None:
    field = header[148:156].strip(b"\0 ")
    if not field or not _OCTAL_DIGITS.issuperset(field) or int(field, 8) != sum(header) - sum(header[148:156]) + 8 * 32:
        raise _Refused("its header is damaged")


def _size(header: bytes) -> int:
    field = header[124:136].strip(b"\0 ")
    if not _OCTAL_DIGITS.issuperset(field):
        raise _Refused(f"its size is not a number: {field!r}")
    return int(field or b"0", 8)


def _mode(header: bytes) -> int:
    field = header[100:108].strip(b"\0 ")
    if not _OCTAL_DIGITS.issuperset(field):
        raise _Refused(f"its mode is not a number: {field!r}")
    return _PROGRAM_MODE if int(field or b"0", 8) & _OWNER_EXECUTES else _FILE_MODE


def _text(field: bytes) -> str:
    return os.fsdecode(field.partition(b"\0")[0])


def _shown_name(header: bytes) -> str:
    prefix = _text(header[345:500]) if header[257:262] == b"ustar" else ""
    name = _text(header[:100])
    return f"{prefix}/{name}" if prefix else name


def _inner_path(name: str, what: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or not parts:
        raise _Refused(f"{what} ({name!r}) does not stay in the directory")
    return "/".join(parts)


def _link_target(name: str, target: str) -> str:
    """Return a symbolic link's target, which may go up only at its beginning.

    Later it would go up from wherever another link leads. The directories above a member are none: they were made here.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    if not target or target.startswith("/") or ".." in parts[ups:] or ups > name.count("/"):
        raise _Refused(f"it links to {target!r}, which does not stay in the directory")
    return target
