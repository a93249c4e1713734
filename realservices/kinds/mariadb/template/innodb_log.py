"""InnoDB's log, begun anew: a server that was shut down in order needs nothing of it but where it ends.

How far a log is depends on how long its records are, and these on the times in them.

Source of the format: log0log.h, log0recv.cc (`recv_sys_t::find_checkpoint`) and `log_t::write_checkpoint` of MariaDB
10.8 to 11.8.
"""

from __future__ import annotations

import os
import struct

from realservices.host.crc32c import crc32c

_START = 0x3000
POSITION = struct.pack(">Q", _START)
"""Where a log begins, as pages have it (LSN)."""

_FORMAT, _HEADER_BYTES, _START_AT, _HEADER_SUM_AT = b"Phys", 512, 8, 508
_CHECKPOINT_AT, _CHECKPOINT_SUM_AT = 0x1000, 60
_FILE_CHECKPOINT, _SEQUENCE = b"\xfa\0\0", b"\1"


def begin_log(path: str) -> bool:
    """Let the log of a server that has been shut down begin anew.

    Args:
        path: Of `ib_logfile0`.

    Returns:
        Whether that is done: the format is known, and the file is not encrypted.

    Raises:
        OSError: It cannot be read or written.
    """
    with open(path, "r+b") as file:
        header = bytearray(file.read(_HEADER_BYTES))
        if header[: len(_FORMAT)] != _FORMAT:
            return False
        size = os.fstat(file.fileno()).st_size
        struct.pack_into(">Q", header, _START_AT, _START)
        struct.pack_into(">I", header, _HEADER_SUM_AT, crc32c(header[:_HEADER_SUM_AT]))
        checkpoint = (POSITION * 2).ljust(_CHECKPOINT_SUM_AT, b"\0")
        record = _FILE_CHECKPOINT + POSITION
        file.truncate(0)
        file.truncate(size)
        for position, written in (
            (0, header),
            (_CHECKPOINT_AT, checkpoint + _sum(checkpoint)),
            (_START, record + _SEQUENCE + _sum(record)),
        ):
            file.seek(position)
            file.write(written)
    return True


def _sum(data: bytes | bytearray) -> bytes:
    return struct.pack(">I", crc32c(data))
