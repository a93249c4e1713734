"""Where rows lie on the pages of a table's file, told from the bytes (PostgreSQL's storage/bufpage.h, htup_details.h).

A server that opens a table's file opens it for writing. On an overlay that copies the whole file into the session's
memory, and the files of all the table's indexes. So the files of a database that nobody writes to are better read as
files. All of it is decided as the server would: by the hints on a row, or by what became of its transactions.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEADER_BYTES = 24
_LOWER = struct.Struct("<12xH")
_POINTER = struct.Struct("<I")
_NORMAL = 1  # A pointer's state: it has a row, not a redirection to one, and is neither dead nor unused.
_ROW = struct.Struct("<II12xH")  # xmin, xmax, …, infomask
_XMAX_KEY_SHARE, _XMAX_EXCLUSIVE, _XMAX_LOCK_ONLY = 0x0010, 0x0040, 0x0080
_XMIN_COMMITTED, _XMIN_INVALID, _XMAX_COMMITTED, _XMAX_INVALID = 0x0100, 0x0200, 0x0400, 0x0800
_XMAX_MULTI = 0x1000
_MOVED = 0xC000  # By a VACUUM FULL before PostgreSQL 9.0.


class UndecidedError(Exception):
    """The bytes do not say whether there is a row."""


class _Row(NamedTuple):
    number: int
    xmin: int
    xmax: int
    mask: int


def unknown_transactions(page: bytes) -> set[int]:
    """Return the transactions whose outcome decides where rows are.

    Raises:
        UndecidedError: See there.
    """
    return {xid for row in _rows(page) for xid in (_inserter(row), _deleter(row)) if xid}


def row_numbers(page: bytes, has_committed: Mapping[int, bool]) -> list[int]:
    """Return the numbers of the rows on a page, from 1 on.

    Args:
        page: Its bytes.
        has_committed: The outcome of `unknown_transactions`.
    """
    return [
        row.number for row in _rows(page) if _is_inserted(row, has_committed) and not _is_deleted(row, has_committed)
    ]


def _rows(page: bytes) -> Iterator[_Row]:
    (lower,) = _LOWER.unpack_from(page)
    for position in range(_HEADER_BYTES, lower, _POINTER.size):
        (pointer,) = _POINTER.unpack_from(page, position)
        if pointer >> 15 & 3 == _NORMAL:
            row = _Row((position - _HEADER_BYTES) // _POINTER.size + 1, *_ROW.unpack_from(page, pointer & 0x7FFF))
            if row.mask & _MOVED:
                raise UndecidedError
            yield row


def _inserter(row: _Row) -> int:
    """Return the transaction whose outcome says whether a row was inserted, 0 where its hints say it."""
    return 0 if row.mask & (_XMIN_COMMITTED | _XMIN_INVALID) else row.xmin


def _is_inserted(row: _Row, has_committed: Mapping[int, bool]) -> bool:
    xid = _inserter(row)
    return has_committed[xid] if xid else bool(row.mask & _XMIN_COMMITTED)  # Both hints: it is frozen.


def _deleter(row: _Row) -> int:
    """Return the transaction whose outcome says whether a row was deleted or updated, 0 where its hints say it."""
    if row.mask & (_XMAX_INVALID | _XMAX_COMMITTED) or _is_only_locked(row):
        return 0
    if row.mask & _XMAX_MULTI:
        raise UndecidedError
    return row.xmax


def _is_deleted(row: _Row, has_committed: Mapping[int, bool]) -> bool:
    if row.mask & _XMAX_INVALID or _is_only_locked(row):
        return False
    if row.mask & _XMAX_MULTI:
        raise UndecidedError
    return bool(row.mask & _XMAX_COMMITTED) or has_committed[row.xmax]


def _is_only_locked(row: _Row) -> bool:
    locks = _XMAX_MULTI | _XMAX_EXCLUSIVE | _XMAX_KEY_SHARE
    return bool(row.mask & _XMAX_LOCK_ONLY) or row.mask & locks == _XMAX_EXCLUSIVE
