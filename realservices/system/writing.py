"""Writing all of something."""

from __future__ import annotations

import os


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it: the kernel may take less at once, for instance when a file system becomes full."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
