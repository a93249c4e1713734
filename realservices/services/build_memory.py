"""A build's scratch directory in memory.

A PostgreSQL data directory is thousands of small files, which are removed a second later. On a disk's file system that
takes longer than all the rest: ext4 uses the number of a removed file again only after minutes, and looks at each of
these when it makes a new one. Tests run on memory as well.

What the build may take is limited, so that it takes nothing from the tests beside it. A build that needs more is
repeated on the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os

from realservices.host.namespaces import detach, mount_tmpfs
from realservices.host.unpacked_templates import free_bytes
from realservices.system.memory import free_memory_bytes

_MOST_BYTES = 1 << 30
# Several builds and tests run at the same time, each with its own.
_PART_OF_FREE_MEMORY = 8
# Three copies of a database, and its write-ahead log.
_LEAST_BYTES = 256 << 20
# What the server makes of a file, with its indexes, in three databases.
_GROWTH = 10
_FULL = os.strerror(errno.ENOSPC)
_NEARLY_FULL_BYTES = 8 << 20


class BuildMemory:
    """Memory on a directory of this process's mount namespace, if there is enough for a build.

    Attributes:
        is_used: Whether the directory is in memory.

    Args:
        directory: An empty directory.
        input_bytes: How large the files are that the build reads.
    """

    def __init__(self, directory: str, input_bytes: int) -> None:
        self._directory = directory
        size = int(min(_MOST_BYTES, free_memory_bytes() / _PART_OF_FREE_MEMORY))
        self.is_used = False
        if size >= max(_LEAST_BYTES, _GROWTH * input_bytes):
            with contextlib.suppress(OSError):  # The kernel grants no mounts here.
                mount_tmpfs(directory, size)
                self.is_used = True

    def was_too_small(self, error: Exception) -> bool:
        """Return whether a build has failed for want of it."""
        return self.is_used and (_FULL in str(error) or free_bytes(self._directory) < _NEARLY_FULL_BYTES)

    def leave(self) -> None:
        """Give the memory up, with all that is in it: the directory is empty, and on the disk."""
        if self.is_used:
            detach(self._directory)
            self.is_used = False
