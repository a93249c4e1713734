"""InnoDB's data files without their history: where in the log each page was written, and what was on those now free.

The position in the log (LSN) of a page tells recovery whether it has a change already. After a slow shutdown nothing is
to be recovered: so all pages that were ever written get the position at which a log begins.

Source of the formats: fil0fil.h, fsp0fsp.h, fsp0types.h, buf0checksum.cc of MariaDB 10.8 to 11.8.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

from realservices.host.crc32c import change_of, crc32c
from realservices.kinds.mariadb.template.innodb_log import POSITION

_POSITION_AT, _DATA_AT, _SUM_BYTES, _LOW_BYTES = 16, 24, 4, 4
# The first page says what the file is.
_FLAGS_AT, _LEAST_PAGE_BYTES, _DEFAULT_PAGE_BYTES = 54, 1024, 16384
_IS_FULL, _SIZE_OF_FULL, _IS_COMPRESSED_FULL = 0x10, 0xF, 0xE0
_SIZE_OF_ZIPPED, _SIZE_OF_OLD, _IS_COMPRESSED_OLD = 0x1E, 0x3C0, 0x10000
# Further on it says how many pages there are, and how many of them were ever described.
_LIMIT_AT, _EXTENTS_AT, _BITMAP_AT = 50, 150, 24
_LEAST_EXTENT, _EXTENT_BYTES = 64, 1 << 20
_OLD_HEADER_AT, _OLD_HEADER_BYTES = 4, 22


def forget_history(path: str) -> None:
    """Set the positions of all pages of a data file to the log's beginning, and clear what is free.

    Args:
        path: `ibdata1`, or an `.ibd`. A file with `PAGE_COMPRESSED` is left as it is: there a page's end, with its
            position, is within what is compressed.

    Raises:
        OSError: It cannot be read or written.
    """
    with open(path, "r+b") as file:
        if os.fstat(file.fileno()).st_size < _LEAST_PAGE_BYTES:
            return
        with mmap.mmap(file.fileno(), 0) as pages:
            layout = _layout(flags_of(pages))
            if layout:
                _clear_free_pages(pages, layout)
                for start in range(0, len(pages) - layout.page_bytes + 1, layout.page_bytes):
                    if pages[start + _POSITION_AT : start + _DATA_AT] != bytes(len(POSITION)):
                        layout.move(pages, start, layout.page_bytes)


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a data file is like: how large its pages are, how many are an extent, and what sets a page's position."""

    page_bytes: int
    extent: int
    move: Callable[[mmap.mmap, int, int], None]


def _layout(flags: int) -> _Layout | None:
    if page_bytes := full_page_bytes(flags):
        return None if flags & _IS_COMPRESSED_FULL else _Layout(page_bytes, _extent(page_bytes), _move_full)
    if flags & _IS_COMPRESSED_OLD:
        return None
    size = (flags & _SIZE_OF_OLD) >> 6
    page_bytes = 512 << size if size else _DEFAULT_PAGE_BYTES
    zipped = (flags & _SIZE_OF_ZIPPED) >> 1
    if zipped:
        return _Layout(512 << zipped, _extent(page_bytes), _move)
    return _Layout(page_bytes, _extent(page_bytes), _move_old)


def write_full(pages: mmap.mmap, start: int, page_bytes: int, at: int, new: bytes) -> None:
    """Change some bytes of a page whose checksum is at its end, of all that is before it.

    Args:
        pages: The file.
        start: Where the page begins.
        page_bytes: How large it is.
        at: Where in the page.
        new: The bytes.
    """
    sum_at, place = start + page_bytes - _SUM_BYTES, slice(start + at, start + at + len(new))
    change = change_of(_difference(pages[place], new), sum_at - place.stop)
    pages[place] = new
    struct.pack_into(">I", pages, sum_at, struct.unpack_from(">I", pages, sum_at)[0] ^ change)


def full_page_bytes(flags: int) -> int:
    """Return how large pages with a checksum of all are; 0: they have another one.

    Args:
        flags: The file's, see `flags_of`.
    """
    return 512 << (flags & _SIZE_OF_FULL) if flags & _IS_FULL else 0


def flags_of(pages: mmap.mmap) -> int:
    """Return what a file says of its format."""
    flags: int = struct.unpack_from(">I", pages, _FLAGS_AT)[0]
    return flags


def _extent(page_bytes: int) -> int:
    return max(_LEAST_EXTENT, _EXTENT_BYTES // page_bytes)


def _clear_free_pages(pages: mmap.mmap, layout: _Layout) -> None:
    """Clear what is free in a file, as its descriptions of extents say: what was there last depends on the time."""
    size, limit = struct.unpack_from(">II", pages, _LIMIT_AT - 4)
    entry_bytes = _BITMAP_AT + layout.extent * 2 // 8
    nothing = bytes(layout.page_bytes)
    for number in range(min(size, len(pages) // layout.page_bytes)):
        described, index = divmod(number, layout.page_bytes)
        extent, bit = divmod(index, layout.extent)
        bitmap = described * layout.page_bytes**2 + _EXTENTS_AT + extent * entry_bytes + _BITMAP_AT
        is_free = number >= limit or pages[bitmap + bit // 4] >> bit % 4 * 2 & 1
        start = number * layout.page_bytes
        if is_free and pages[start + _POSITION_AT : start + _DATA_AT] != nothing[_POSITION_AT:_DATA_AT]:
            pages[start : start + layout.page_bytes] = nothing


def _move_full(pages: mmap.mmap, start: int, page_bytes: int) -> None:
    """Of `innodb_checksum_algorithm=full_crc32`, the default: the end of a page has the position's end, too."""
    write_full(pages, start, page_bytes, _POSITION_AT, POSITION)
    write_full(pages, start, page_bytes, page_bytes - _SUM_BYTES - _LOW_BYTES, POSITION[-_LOW_BYTES:])


def _move_old(pages: mmap.mmap, start: int, page_bytes: int) -> None:
    """Of `crc32`, the one before: a checksum at both ends, combined of the header's and the data's."""
    header = slice(start + _OLD_HEADER_AT, start + _OLD_HEADER_AT + _OLD_HEADER_BYTES)
    before = crc32c(pages[header])
    _move(pages, start, page_bytes)
    changed = struct.pack(">I", struct.unpack_from(">I", pages, start)[0] ^ before ^ crc32c(pages[header]))
    pages[start : start + _SUM_BYTES] = changed
    pages[start + page_bytes - _SUM_BYTES - _LOW_BYTES : start + page_bytes] = changed + POSITION[-_LOW_BYTES:]


def _move(pages: mmap.mmap, start: int, _page_bytes: int) -> None:
    """Of `ROW_FORMAT=COMPRESSED`: the position is in no checksum."""
    pages[start + _POSITION_AT : start + _DATA_AT] = POSITION


def _difference(old: bytes, new: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(old, new, strict=True))
