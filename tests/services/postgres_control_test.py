"""What a data directory knows of its origin, with a version of the server that is not known yet."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from realservices.kinds.postgres.template.pg_control import forget_origin

if TYPE_CHECKING:
    from pathlib import Path

_SEGMENT_BYTES = 1 << 20


def _data_directory(top: Path, version: int, segment: int) -> Path:
    """Make what a server leaves whose last checkpoint is in that segment of the log."""
    for name in ("global", "base/5", "pg_stat", "pg_tblspc", "pg_wal/archive_status"):
        (top / name).mkdir(parents=True)
    control = bytearray(8192)
    struct.pack_into("<QIIIxxxxqQ", control, 0, 77, version, 1, 1, 1_700_000_000, segment * _SEGMENT_BYTES + 4096)
    struct.pack_into("<QI", control, 40, segment * _SEGMENT_BYTES + 4096, 1)
    (top / "global" / "pg_control").write_bytes(control)
    for number in range(1, segment + 3):
        (top / "pg_wal" / f"0000000100000000{number:08X}").touch()
    for name in ("base/5/pg_internal.init", "pg_stat/pgstat.stat", "postmaster.opts"):
        (top / name).touch()
    return top


def test_a_version_that_is_not_known_keeps_its_identity_and_the_log_that_it_needs(tmp_path: Path) -> None:
    data = _data_directory(tmp_path, 9999, 5)
    before = (data / "global" / "pg_control").read_bytes()
    forget_origin(str(data))
    assert (data / "global" / "pg_control").read_bytes() == before
    left = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
    log = {"pg_wal/000000010000000000000005", "pg_wal/000000010000000000000006"}
    assert left == {"global/pg_control", *log}


def test_a_file_whose_checksum_is_wrong_is_left_to_the_server(tmp_path: Path) -> None:
    data = _data_directory(tmp_path, 1800, 5)
    before = (data / "global" / "pg_control").read_bytes()
    forget_origin(str(data))
    assert (data / "global" / "pg_control").read_bytes() == before
