"""Directories of sessions and actions that no process uses any more, where a crash or a fault would leave them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_NAMES = "realservices-*/*." + "[0-9a-f]" * 12


def left_behind() -> set[Path]:
    """Return what is left on this machine. What has a living owner is locked: others may work here, too."""
    found = [path for base in ("/tmp", "/dev/shm") for path in Path(base).glob(_NAMES)]
    return {path for path in found if not _is_locked(path)}


def _is_locked(directory: Path) -> bool:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return True  # Gone meanwhile.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return not directory.exists()
    finally:
        os.close(descriptor)
