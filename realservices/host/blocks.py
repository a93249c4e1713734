"""One block of ports: the unit by which launchers keep apart.

A block is held by a file lock in the registry for as long as the launcher lives, and on Linux also by an abstract
unix socket. The kernel scopes abstract sockets exactly as it scopes TCP ports (to the network namespace), so two
launchers that see each other's ports but not each other's files (different containers, different users) still cannot
share a block. The kernel frees both when the holder is killed.
"""

from __future__ import annotations

import os
import socket
import sys

from realservices.system.locks import lock_file
from realservices.system.registry_directory import present_registries

FOLDER = "slots"
"""Where lock files lie in the registry."""
BLOCK_SIZE = 16
# Followed by a block's first port: the abstract socket that says that it is held.
SOCKET_PREFIX = "realservices-ports-"


class Block:
    """One block while it is held: its lock file and its abstract socket."""

    def __init__(self, path: str, lock: int, name: socket.socket | None) -> None:
        self._path = path
        self._lock = lock
        self._name = name

    def release(self) -> None:
        """Give it back."""
        # Unlinked while still locked: a process that opened the old file sees a foreign inode and tries again.
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass
        os.close(self._lock)
        if self._name:
            self._name.close()


def hold_block(path: str, base: int) -> Block | None:
    """Lock one block, or return None if another launcher holds it.

    Args:
        path: Of its lock file.
        base: Its first port.
    """
    try:
        lock = lock_file(path)
    except BlockingIOError:
        return None
    name = None
    if sys.platform == "linux":
        name = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            name.bind(f"\0{SOCKET_PREFIX}{base}")
        except OSError:
            name.close()
            Block(path, lock, None).release()
            return None
    return Block(path, lock, name)


def remove_left_blocks() -> None:
    """Remove the lock files of blocks whose launchers were killed: they take no space, but there may be many."""
    for registry in present_registries()[:1]:
        directory = f"{registry}/{FOLDER}"
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            block = hold_block(f"{directory}/{name}", int(name)) if name.isascii() and name.isdecimal() else None
            if block:
                block.release()
