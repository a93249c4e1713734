"""The archive of a ClickHouse data directory: written by the build action, unpacked for each server.

A tar file of the oldest common form (ustar), so that it can be read without the module `tarfile`: importing that takes
longer than unpacking the 80 small files and links that such a directory has.
"""

from __future__ import annotations

import os

_BLOCK = 512
_FILE, _LINK, _DIRECTORY = b"0", b"2", b"5"
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
        archive.write(bytes(2 * _BLOCK))


def unpack_data_archive(archive: str, directory: str) -> None:
    """Unpack into the new directory ``directory``, for its owner only.

    Raises:
        OSError: No room, no permission, or no archive of ours.
    """
    os.mkdir(directory, 0o700)
    with open(archive, "rb") as source:
        content = source.read()
    position = 0
    while name := content[position : position + _MOST_NAME_BYTES].rstrip(b"\0"):
        header = content[position : position + _BLOCK]
        prefix = header[_PREFIX : _PREFIX + _MOST_PREFIX_BYTES].rstrip(b"\0")
        path = f"{directory}/{os.fsdecode(prefix + b'/' * bool(prefix) + name)}"
        size = int(header[124:135], 8)
        position += _BLOCK
        if header[156:157] == _DIRECTORY:
            os.mkdir(path, 0o700)
        elif header[156:157] == _LINK:
            os.symlink(os.fsdecode(header[157:257].rstrip(b"\0")), path)
        else:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.write(descriptor, content[position : position + size])
            os.close(descriptor)
        position += -(-size // _BLOCK) * _BLOCK


def _entry(path: str, name: str) -> bytes:
    content, kind, target = b"", _FILE, b""
    if os.path.islink(path):
        kind, target = _LINK, os.fsencode(os.readlink(path))
    elif os.path.isdir(path):
        kind = _DIRECTORY
    else:
        with open(path, "rb") as source:
            content = source.read()
    prefix, last = _divided(os.fsencode(name))
    header = last.ljust(_MOST_NAME_BYTES, b"\0") + b"0000600\0" + b"0000000\0" * 2
    header += b"%011o\0" % len(content) + b"%011o\0" % 0 + b" " * 8 + kind + target.ljust(_MOST_NAME_BYTES, b"\0")
    header = ((header + b"ustar\00000").ljust(_PREFIX, b"\0") + prefix).ljust(_BLOCK, b"\0")
    header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
    return header + content + bytes(-len(content) % _BLOCK)


def _divided(name: bytes) -> tuple[bytes, bytes]:
    if len(name) <= _MOST_NAME_BYTES:
        return b"", name
    slash = name.find(b"/", len(name) - _MOST_NAME_BYTES - 1)
    if not 0 < slash <= _MOST_PREFIX_BYTES:
        raise ValueError(f"{os.fsdecode(name)}: this path in the data directory is too long for the archive")
    return name[:slash], name[slash + 1 :]
