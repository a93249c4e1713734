"""What InnoDB's own file (`ibdata1`) has beyond tables: the dictionary, and what was the last transaction.

Source of the formats: trx0sys.h, trx0rseg.h of MariaDB 10.8 to 11.8.
"""

from __future__ import annotations

import mmap
import struct

from realservices.host.crc32c import crc32c
from realservices.kinds.mariadb.template.innodb_pages import flags_of, full_page_bytes, write_full
from realservices.kinds.mariadb.template.innodb_records import in_order, is_dictionary_page

# A page with the places of all rollback segments; in a segment's, what it is and the last transaction.
_SEGMENTS_PAGE, _SEGMENTS_AT, _SEGMENTS, _SEGMENT_BYTES = 5, 56, 128, 8
_FORMAT_AT, _FORMAT_BYTES, _TRANSACTION_AT, _TRANSACTION_BYTES = 38, 4, 4168, 8
_SUM_BYTES = 4


def forget_way(path: str) -> None:
    """Let the dictionary and the last transaction be the same however they came about.

    Args:
        path: `ibdata1`. With another checksum than the default, `full_crc32`, it stays as it is.

    Raises:
        OSError: It cannot be read or written.
    """
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
        page_bytes = full_page_bytes(flags_of(pages))
        if page_bytes:
            _put_in_order(pages, page_bytes)
            _same_last_transaction(pages, page_bytes)


def _put_in_order(pages: mmap.mmap, page_bytes: int) -> None:
    for start in range(0, len(pages) - page_bytes + 1, page_bytes):
        page = pages[start : start + page_bytes]
        if is_dictionary_page(page):
            made = in_order(page)
            struct.pack_into(">I", made, page_bytes - _SUM_BYTES, crc32c(made[:-_SUM_BYTES]))
            pages[start : start + page_bytes] = bytes(made)


def _same_last_transaction(pages: mmap.mmap, page_bytes: int) -> None:
    """Let all rollback segments know the same last transaction, of which the server takes the highest.

    Which of them know it depends on when removed rows were cleared up.
    """
    found = struct.iter_unpack(">II", pages[_SEGMENTS_PAGE * page_bytes + _SEGMENTS_AT :][: _SEGMENTS * _SEGMENT_BYTES])
    starts = [number * page_bytes for space, number in found if not space]
    starts = [at for at in starts if pages[at + _FORMAT_AT : at + _FORMAT_AT + _FORMAT_BYTES] == bytes(_FORMAT_BYTES)]
    last = max(pages[at + _TRANSACTION_AT : at + _TRANSACTION_AT + _TRANSACTION_BYTES] for at in starts)
    for start in starts:
        write_full(pages, start, page_bytes, _TRANSACTION_AT, last)
