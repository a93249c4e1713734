"""The archive of a data directory: written by a build action, unpacked for each server (host/archive.py).

A tar file of the oldest common form (ustar), which has the links that such a directory is full of.
"""

from __future__ import annotations

import os

from realservices.host.archive import BLOCK, DIRECTORY, FILE, SYMBOLIC_LINK

# A longer path is divided at a slash: its beginning goes to a field of its own.
_MOST_NAME_BYTES = 100
_MOST_PREFIX_BYTES = 155
_PREFIX = 345


def write_data_archive(directory: str, output: str) -> None:
    """Pack a directory, the same way each time.

    Raises:
        ValueError: A path in it is too long for the format.
    """
    with open(output, "wb") as archive:
        for root, directories, files in os.walk(directory):
            directories.sort()
            for name in sorted([*directories, *files]):
                path = f"{root}/{name}"
                archive.write(_entry(path, os.path.relpath(path, directory)))
        archive.write(bytes(2 * BLOCK))


def _entry(path: str, name: str) -> bytes:
    content, kind, target = b"", FILE, b""
    if os.path.islink(path):
        kind, target = SYMBOLIC_LINK, os.fsencode(os.readlink(path))
    elif os.path.isdir(path):
        kind = DIRECTORY
    else:
        with open(path, "rb") as source:
            content = source.read()
    prefix, last = _divided(os.fsencode(name))
    header = last.ljust(_MOST_NAME_BYTES, b"\0") + b"0000600\0" + b"0000000\0" * 2
    header += b"%011o\0" % len(content) + b"%011o\0" % 0 + b" " * 8 + kind + target.ljust(_MOST_NAME_BYTES, b"\0")
    header = ((header + b"ustar\00000").ljust(_PREFIX, b"\0") + prefix).ljust(BLOCK, b"\0")
    header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
    return header + content + bytes(-len(content) % BLOCK)


def _divided(name: bytes) -> tuple[bytes, bytes]:
    if len(name) <= _MOST_NAME_BYTES:
        return b"", name
    slash = name.find(b"/", len(name) - _MOST_NAME_BYTES - 1)
    if not 0 < slash <= _MOST_PREFIX_BYTES:
        raise ValueError(f"{os.fsdecode(name)}: this path in the data directory is too long for the archive")
    return name[:slash], name[slash + 1 :]
