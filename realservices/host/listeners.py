"""Which process listens on a port: for the message that a port is taken.

Read from the kernel's lists (proc(5)); elsewhere than on Linux nobody can be named.
"""

from __future__ import annotations

import os

_LISTENING = "0A"  # linux/include/net/tcp_states.h
_UNKNOWN = "a process that cannot be seen from here: another user's, or a container's"


def owner_of_port(port: int) -> str:
    """Say in words who listens on ``port``: name and process id, where they can be seen."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    owners = [f"{_name(pid)} (process {pid})" for pid in _processes() if sockets and _holds(pid, sockets)]
    return owners[0] if owners else _UNKNOWN


def _listening_inodes(port: int) -> list[str]:
    inodes = []
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{table}", encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        inodes += [row[9] for row in rows if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port]
    return inodes


def _processes() -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except OSError:
        return []


def _holds(pid: int, sockets: set[str]) -> bool:
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{number}") in sockets for number in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False  # Gone meanwhile, or somebody else's.


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process that has just ended"
