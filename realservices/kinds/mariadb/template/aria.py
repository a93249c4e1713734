"""Files of Aria and MyISAM without their history: the log, which directory a table was made in, and when.

A table of Aria carries the identifier of the directory that it was made in, and positions in its log (LSN), one of
which tells tables apart. One with another identifier, or from a log's future, makes the server write all of it anew.
So all get one identifier, and positions that every log has left behind: before the first record of its first file. The
log itself is removed: a server that finds a control file without one begins it.

Source of the formats: ma_control_file.c, ma_open.c (`_ma_state_info_write_sub`, `_ma_base_info_write`), ma_pagecrc.c
and ma_bitmap.c of MariaDB's Aria; mi_open.c (`mi_state_info_write`) of its MyISAM.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib

from realservices.kinds.mariadb.template.fixed import FIXED_S, fixed_identifier

_UUID_BYTES, _SUM_BYTES = 16, 4
# Of aria_log_control.
_CONTROL = b"\xfe\xfe\x0c\1"
_CHECKPOINT_BYTES = 7 + 4
# Of a table's index file.
_TABLE, _MYISAM_TABLE = b"\xfe\xfe\x09\x03", b"\xfe\xfe\x07\x01"
_POSITIONS_AT, _POSITIONS = 28, 3
_KEYS_AT, _DATA_TYPE_AT, _IN_PAGES = 18, 22, 3
_EXTRA_OPTIONS_AT, _BLOCK_BYTES_AT, _IS_LOGGED_AT, _IS_ENCRYPTED = 90, 100, 106, 1
# How long a state is says the header, but for the roots of the keys, which come before the version.
_VERSION_BEFORE_END, _ROOT_BYTES, _KEY_BLOCKS_AT = 44, 8, 21
_PROCESS_AT, _PROCESS_BYTES = 108, 8
# Of a page.
_POSITION_BYTES, _TRANSACTION_BYTES, _USED_AT = 7, 6, 2
_NO_SUM = 0xFFFFFFFE


def forget_log(data: str) -> None:
    """Let Aria's log begin anew.

    Args:
        data: The data directory of a server that has been shut down.

    Raises:
        OSError: A file cannot be read or written.
    """
    for entry in os.scandir(data):
        if entry.name.startswith("aria_log."):
            os.unlink(entry.path)
    with open(f"{data}/aria_log_control", "r+b") as file:
        control = bytearray(file.read())
        if control[: len(_CONTROL)] != _CONTROL:
            return
        size = struct.unpack_from("<H", control, len(_CONTROL) + _UUID_BYTES)[0]
        control[len(_CONTROL) : len(_CONTROL) + _UUID_BYTES] = fixed_identifier()
        struct.pack_into("<I", control, size - _SUM_BYTES, zlib.crc32(control[: size - _SUM_BYTES]))
        changing = size + _SUM_BYTES
        control[changing : changing + _CHECKPOINT_BYTES] = bytes(
            _CHECKPOINT_BYTES
        )  # There is no checkpoint, and no log.
        struct.pack_into("<I", control, size, zlib.crc32(control[changing:]))
        file.seek(0)
        file.write(control)


def forget_aria_origin(path: str, number: int) -> None:
    """Let a table of Aria be of no directory, log or time.

    Args:
        path: Its index file, `.MAI`. Its rows lie beside it.
        number: Another one for each table, from 1; less than 8192.

    Raises:
        OSError: A file cannot be read or written.
    """
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as index:
        if index[: len(_TABLE)] != _TABLE:
            return
        state_bytes, _, base = struct.unpack_from(">HHH", index, 8)
        _fix_times(index, state_bytes - _VERSION_BEFORE_END + index[_KEYS_AT] * _ROOT_BYTES)
        index[base : base + _UUID_BYTES] = fixed_identifier()
        if struct.unpack_from(">H", index, base + _EXTRA_OPTIONS_AT)[0] & _IS_ENCRYPTED:
            return
        block_bytes = struct.unpack_from(">H", index, base + _BLOCK_BYTES_AT)[0]
        is_logged = bool(index[base + _IS_LOGGED_AT])
        if is_logged:
            position = b"\1\0\0" + struct.pack("<I", number)
            index[_POSITIONS_AT : _POSITIONS_AT + _POSITIONS * _POSITION_BYTES] = position * _POSITIONS
        header = _POSITION_BYTES + _TRANSACTION_BYTES if is_logged else 0
        first = struct.unpack_from(">Q", index, base + _UUID_BYTES)[0] // block_bytes
        _forget_positions(index, block_bytes, first, header)
        in_pages = index[_DATA_TYPE_AT] == _IN_PAGES
    rows = path.removesuffix(".MAI") + ".MAD"
    if in_pages and os.path.getsize(rows):
        with open(rows, "r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
            _forget_positions(pages, block_bytes, 0, None)


def forget_myisam_origin(path: str) -> None:
    """Let a table of MyISAM be of no time and process.

    Args:
        path: Its index file, `.MYI`.

    Raises:
        OSError: It cannot be read or written.
    """
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as index:
        if index[: len(_MYISAM_TABLE)] != _MYISAM_TABLE:
            return
        state_bytes = struct.unpack_from(">H", index, 8)[0]
        _fix_times(index, state_bytes - _VERSION_BEFORE_END + (index[_KEYS_AT] + index[_KEY_BLOCKS_AT]) * _ROOT_BYTES)
        index[_PROCESS_AT : _PROCESS_AT + _PROCESS_BYTES] = bytes(_PROCESS_BYTES)


def _fix_times(index: mmap.mmap, version_at: int) -> None:
    """Fix a table's version, which is a time, and when it was made, recovered and checked."""
    struct.pack_into(">I", index, version_at, FIXED_S)
    for at in (version_at + 12, version_at + 20, version_at + 28):
        if struct.unpack_from(">Q", index, at)[0]:
            struct.pack_into(">Q", index, at, FIXED_S)


def _forget_positions(pages: mmap.mmap, block_bytes: int, first: int, header: int | None) -> None:
    """Clear the positions of pages, of keys what is behind their end, and set their checksums.

    Args:
        pages: The file.
        block_bytes: A page's size.
        first: Number of the first page.
        header: What comes before a page of keys says how long it is; None: these are pages of rows, which are all used.
    """
    most = block_bytes - _SUM_BYTES
    # Pages of rows come after one that says where there is room among them. That has no position.
    covered = most // 6 * 16 + 1
    for number in range(first, len(pages) // block_bytes):
        page = bytearray(pages[number * block_bytes : (number + 1) * block_bytes])
        if not any(page) or (header is None and not number % covered):
            continue
        used = most if header is None else struct.unpack_from(">H", page, header + _USED_AT)[0]
        if used > most:
            continue
        if header != 0:
            page[:_POSITION_BYTES] = bytes(_POSITION_BYTES)
        page[used:most] = bytes(most - used)
        if struct.unpack_from("<I", page, most)[0] < _NO_SUM:
            struct.pack_into("<I", page, most, min(zlib.crc32(page[:used], number), _NO_SUM - 1))
        pages[number * block_bytes : (number + 1) * block_bytes] = page
