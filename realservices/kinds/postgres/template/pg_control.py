"""What PostgreSQL puts into a data directory that is not of its schema: who it is, the time, and how it came about.

A data directory that is built again would have another system identifier, other times, and a write-ahead log of the
way to it. After a clean shutdown all that a server needs is in the files, but for one record: the checkpoint of the
shutdown, of which `pg_control` has a copy. So the log is written anew, as by `pg_resetwal`, with that record alone.

Source of the formats: catalog/pg_control.h, access/xlog_internal.h and access/xlogrecord.h of PostgreSQL 14 to 18;
WriteEmptyXLOG in its pg_resetwal.c.
"""

from __future__ import annotations

import contextlib
import os
import struct

from realservices.host.crc32c import crc32c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# 2000-01-01, where PostgreSQL's own calendar begins.
_TIME = 946_684_800
_SYSTEM_IDENTIFIER = _TIME << 32
_NONCE = bytes(range(32))
# Of pg_control, by its version: where the nonce is and where the checksum, which all before it is for.
_LAYOUTS = {1300: (256, 288), 1700: (256, 288), 1800: (257, 292)}
_SHUT_DOWN = 1
_VERSION_AT, _STATE_AT, _TIME_AT, _CHECKPOINT_AT, _COPY_AT = 8, 16, 24, 32, 40
_COPY_BYTES = 88
_COPY_TIMELINE_AT, _COPY_TIME_AT = 8, 64
# Of a file of the log: 1 MB by initdb's --wal-segsize.
_SEGMENT_BYTES = 1 << 20
_SEGMENTS_OF_4_GB = (1 << 32) // _SEGMENT_BYTES
_PAGE_HEADER = struct.Struct("<HHIQI4xQII")
_IS_LONG_HEADER = 2
# Length, transaction, place of the one before, kind and manager (both 0: a shutdown); the checksum follows.
_RECORD_HEADER = struct.Struct("<IIQBBxx")
_SHORT_DATA = 255
# What a server makes anew: caches, which it removes when it starts, and its counts of what was done.
_MADE_ANEW = ("pg_internal.init",)
_COUNTS = "pg_stat"


def forget_origin(data: str) -> None:
    """Make the files of a server that has been shut down the same whenever and wherever it ran.

    Args:
        data: The data directory. A version whose format is not known keeps its identity.

    Raises:
        OSError: A file cannot be read or written.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{data}/postmaster.opts")
    for path in _transient(data):
        os.unlink(path)
    with open(f"{data}/global/pg_control", "rb") as file:
        control = bytearray(file.read())
    position = _number(control, _CHECKPOINT_AT, "<Q") // _SEGMENT_BYTES
    timeline = _number(control, _COPY_AT + _COPY_TIMELINE_AT, "<I")
    if not _is_known(control):
        _keep_log(data, {_segment_name(timeline, position), _segment_name(timeline, position + 1)})
        return
    with open(f"{data}/pg_wal/{_segment_name(timeline, position)}", "rb") as file:
        header = file.read(_PAGE_HEADER.size)
    start = (position + 1) * _SEGMENT_BYTES
    _fix(control, start + _PAGE_HEADER.size)
    _keep_log(data, set())
    with open(f"{data}/pg_wal/{_segment_name(timeline, position + 1)}", "xb", opener=_private) as file:
        file.write(_page_header(header, start) + _record(bytes(control[_COPY_AT : _COPY_AT + _COPY_BYTES])))
        file.truncate(_SEGMENT_BYTES)
    with open(f"{data}/global/pg_control", "r+b") as file:
        file.write(control)


def _transient(data: str) -> Iterator[str]:
    """Yield what a server makes anew."""
    for entry in os.scandir(f"{data}/{_COUNTS}"):
        yield entry.path
    databases = [f"{data}/global", *(entry.path for entry in os.scandir(f"{data}/base"))]
    for space in os.scandir(f"{data}/pg_tblspc"):
        databases += [inner.path for version in os.scandir(space.path) for inner in os.scandir(version.path)]
    yield from (path for one in databases for name in _MADE_ANEW if os.path.exists(path := f"{one}/{name}"))


def _is_known(control: bytearray) -> bool:
    layout = _LAYOUTS.get(_number(control, _VERSION_AT, "<I"))
    if not layout or _number(control, _STATE_AT, "<I") != _SHUT_DOWN:
        return False
    return _number(control, layout[1], "<I") == crc32c(control[: layout[1]])


def _fix(control: bytearray, checkpoint: int) -> None:
    """Give pg_control a fixed identity, and the place of its checkpoint."""
    nonce_at, checksum_at = _LAYOUTS[_number(control, _VERSION_AT, "<I")]
    struct.pack_into("<Q", control, 0, _SYSTEM_IDENTIFIER)
    struct.pack_into("<qQQ", control, _TIME_AT, _TIME, checkpoint, checkpoint)
    struct.pack_into("<q", control, _COPY_AT + _COPY_TIME_AT, _TIME)
    control[nonce_at : nonce_at + len(_NONCE)] = _NONCE
    struct.pack_into("<I", control, checksum_at, crc32c(control[:checksum_at]))


def _page_header(other: bytes, start: int) -> bytes:
    """Return the header of a segment's first page, after another segment's."""
    magic, _, timeline, _, _, _, segment_bytes, block_bytes = _PAGE_HEADER.unpack(other)
    return _PAGE_HEADER.pack(magic, _IS_LONG_HEADER, timeline, start, 0, _SYSTEM_IDENTIFIER, segment_bytes, block_bytes)


def _record(checkpoint: bytes) -> bytes:
    """Return the record of the log for a checkpoint."""
    body = bytes([_SHORT_DATA, len(checkpoint)]) + checkpoint
    header = _RECORD_HEADER.pack(_RECORD_HEADER.size + 4 + len(body), 0, 0, 0, 0)
    return header + struct.pack("<I", crc32c(body + header)) + body


def _keep_log(data: str, names: set[str]) -> None:
    """Remove all files of the log but these."""
    for entry in os.scandir(f"{data}/pg_wal"):
        if entry.is_file(follow_symlinks=False) and entry.name not in names:
            os.unlink(entry.path)


def _segment_name(timeline: int, number: int) -> str:
    return f"{timeline:08X}{number // _SEGMENTS_OF_4_GB:08X}{number % _SEGMENTS_OF_4_GB:08X}"


def _number(data: bytearray, offset: int, form: str) -> int:
    number: int = struct.unpack_from(form, data, offset)[0]
    return number


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
