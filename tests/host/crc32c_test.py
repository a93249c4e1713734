"""The checksum of database servers: its check value, and how it follows from an old one."""

from __future__ import annotations

import pytest

from realservices.host.crc32c import change_of, crc32c

_CHECK = 0xE3069283  # "Check value" of CRC-32/ISCSI in the catalogue of parametrised CRC algorithms.


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == _CHECK


@pytest.mark.parametrize("following", [0, 1, 2, 3, 100, 16352])
def test_a_changed_checksum_follows_from_the_old_one(following: int) -> None:
    before, old, new, after = b"before", bytes(range(8)), b"\xffchanged", bytes(n % 251 for n in range(following))
    changed = bytes(one ^ other for one, other in zip(old, new, strict=True))
    assert crc32c(before + old + after) ^ change_of(changed, following) == crc32c(before + new + after)
