"""Pages of InnoDB's own dictionary without what was in them before.

Each ALTER TABLE makes a table with a name of its own for a moment, after the server's process number, and a removed
record stays in its page. So the records of a page are put one after the other, in their order, and nothing else.

These pages have the old format of rows (`ROW_FORMAT=REDUNDANT`), where a record says itself how long it is. Source of
it: page0types.h, page0page.h, rem0rec.h of MariaDB 10.8 to 11.8.
"""

from __future__ import annotations

import struct

_TYPE_AT, _INDEX = 24, 17855
_HEADER_AT, _HEADER = 38, struct.Struct(">HHHHHHHHH")
_IS_COMPACT = 0x8000
# Two records that are always there; in their place they come before all others, and the page's directory at its end.
_LEAST_AT, _MOST_AT, _HEAP_AT, _END_BYTES, _SLOT_BYTES = 101, 116, 125, 8, 2
_NO_DIRECTION = 5
# Before a record: how many it owns, its number, how many fields it has, whether their ends take one byte, the next one.
_OWNED_AT, _NUMBER_AT, _FIELDS_AT, _NEXT_AT, _EXTRA_BYTES = 6, 5, 4, 2, 6
_GROUP, _MOST_IN_LAST = 4, 7


def is_dictionary_page(page: bytes | bytearray) -> bool:
    """Return whether a page has records in the old format."""
    has_records = struct.unpack_from(">H", page, _TYPE_AT)[0] == _INDEX
    return has_records and not _HEADER.unpack_from(page, _HEADER_AT)[2] & _IS_COMPACT


def in_order(page: bytes | bytearray) -> bytearray:
    """Return a page with the same records, and nothing else; its checksum is wrong.

    Args:
        page: One that `is_dictionary_page` knows.
    """
    records = _records(page)
    made = bytearray(page)
    # The last group has what is left, up to seven.
    owners = list(range(_GROUP - 1, max(len(records) - _GROUP, 0), _GROUP))
    slots = len(owners) + 2
    top = _HEAP_AT + sum(len(whole) for whole, _ in records)
    directory = len(page) - _END_BYTES - slots * _SLOT_BYTES
    if top > directory:
        return made
    made[_HEAP_AT : len(page) - _END_BYTES] = bytes(len(page) - _END_BYTES - _HEAP_AT)
    places = _place(made, records, set(owners))
    for slot, place in enumerate([_LEAST_AT, *(places[owner] for owner in owners), _MOST_AT]):
        struct.pack_into(">H", made, len(page) - _END_BYTES - (slot + 1) * _SLOT_BYTES, place)
    _own(made, _LEAST_AT, 1)
    _own(made, _MOST_AT, len(records) - len(owners) * _GROUP + 1)
    old = _HEADER.unpack_from(page, _HEADER_AT)
    new = (slots, top, len(records) + 2, 0, 0, 0, old[6] & ~7 | _NO_DIRECTION, 0, len(records))
    _HEADER.pack_into(made, _HEADER_AT, *new)
    return made


def _records(page: bytes | bytearray) -> list[tuple[bytes, int]]:
    """Return the records in their order, and how much of each comes before its place."""
    found = []
    at = _number(page, _LEAST_AT - _NEXT_AT)
    while at != _MOST_AT:
        fields = (_number(page, at - _FIELDS_AT) & 0x7FE) >> 1
        if page[at - _NEXT_AT - 1] & 1:
            extra = _EXTRA_BYTES + fields
            size = page[at - extra] & 0x7F
        else:
            extra = _EXTRA_BYTES + 2 * fields
            size = _number(page, at - extra) & 0x3FFF
        found.append((bytes(page[at - extra : at + size]), extra))
        at = _number(page, at - _NEXT_AT)
    return found


def _place(page: bytearray, records: list[tuple[bytes, int]], owners: set[int]) -> list[int]:
    """Put records one after the other; return their places."""
    places = []
    top, before = _HEAP_AT, _LEAST_AT
    for number, (whole, extra) in enumerate(records):
        page[top : top + len(whole)] = whole
        at = top + extra
        struct.pack_into(">H", page, before - _NEXT_AT, at)
        fields = _number(page, at - _NUMBER_AT) & 7
        struct.pack_into(">H", page, at - _NUMBER_AT, (number + 2) << 3 | fields)
        _own(page, at, _GROUP if number in owners else 0)
        places.append(at)
        top, before = top + len(whole), at
    struct.pack_into(">H", page, before - _NEXT_AT, _MOST_AT)
    return places


def _own(page: bytearray, at: int, count: int) -> None:
    page[at - _OWNED_AT] = page[at - _OWNED_AT] & 0xF0 | count


def _number(page: bytes | bytearray, at: int) -> int:
    number: int = struct.unpack_from(">H", page, at)[0]
    return number
