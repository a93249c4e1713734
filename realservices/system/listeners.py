"""Which process has a port: for the message that a port is taken, and to tell a foreign server from our own.

Read from the kernel's lists (proc(5)). Elsewhere than on Linux no process can be named, and no server told from
another.
"""

from __future__ import annotations

import os
import socket
import time

from realservices.system.process_ids import descendants, program_of

_LISTENING = "0A"  # linux/include/net/tcp_states.h
_UNKNOWN = "a process that cannot be seen from here: another user's, or a container's"
# Local addresses at which a connection to 127.0.0.1 ends: itself, every address, and the same in IPv6.
_ADDRESSES = {
    "tcp": ("0100007F", "00000000"),
    "tcp6": ("0" * 32, "0000000000000000FFFF00000100007F", "0000000000000000FFFF000000000000"),
}
# A container's port is held by its engine, which is no child of the service that asked for the container.
_PROXIES = ("docker-proxy", "rootlessport", "rootlesskit")
# The sockets of a process that is being killed may outlive its list of descriptors by a moment.
_SETTLE_S, _SETTLE_PAUSE_S = 0.1, 0.002


def is_free(port: int) -> bool:
    """Return whether a server could listen on ``port`` of 127.0.0.1."""
    return refusal_of(port) is None


def refusal_of(port: int) -> OSError | None:
    """Return why no server could listen on ``port`` of 127.0.0.1 now, None where one could."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier holder in TIME_WAIT must not count, a listener must.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error
    return None


def owner_of_port(port: int) -> str:
    """Say in words who listens on ``port``: name and process id, where they can be seen."""
    return _owner({inode for inode, _ in _listening(port)})


def foreign_owner(port: int) -> str:
    """Say in words who has ``port`` so that no server of ours can listen there.

    Returns:
        Name and process id, where they can be seen. "": the port is free, or it is, or may be, held by what this
        process has started.
    """
    deadline = time.monotonic() + _SETTLE_S
    while not is_free(port):
        sockets = {inode for inode, _ in _listening(port)}
        # What a server leaves behind is no process: connections that the kernel still ends.
        if not sockets and "0" in {row[9] for row in _rows(port)}:
            return ""
        foreign = _foreign(sockets)
        if sockets and not foreign:
            return ""
        owner = _owner(foreign)
        if owner != _UNKNOWN or time.monotonic() > deadline:
            return owner
        time.sleep(_SETTLE_PAUSE_S)
    return ""


def stranger_on(port: int) -> str:
    """Say in words who answers on ``port`` of 127.0.0.1 if it is certainly nothing that this process has started.

    Returns:
        Name and process id, where they can be seen. "": it is ours, or there is no telling: a listener of another user,
        or of a container's engine, may well serve for a process of ours.
    """
    listening = _listening(port)
    foreign = _foreign({inode for inode, _ in listening})
    if not foreign:
        return ""
    pid = _holder(foreign)
    if pid:
        return "" if program_of(pid) in _PROXIES else _words(pid)
    return _UNKNOWN if {uid for inode, uid in listening if inode in foreign} == {os.geteuid()} else ""


def _listening(port: int) -> list[tuple[str, int]]:
    """Return inode and user of each socket that listens on a port of 127.0.0.1."""
    return [(row[9], int(row[7])) for row in _rows(port) if row[3] == _LISTENING]


def _rows(port: int) -> list[list[str]]:
    """Return the kernel's rows of the sockets on a port; IPv6's only where IPv4 has none, as it is asked first."""
    end = f":{port:04X}"
    for table, addresses in _ADDRESSES.items():
        try:
            with open(f"/proc/net/{table}", encoding="ascii") as file:
                rows = [line.split() for line in file if end in line]
        except OSError:
            continue
        found = [row for row in rows if row[1] in [address + end for address in addresses]]
        if found:
            return found
    return []


def _foreign(sockets: set[str]) -> set[str]:
    """Return those sockets that no descendant of this process holds; none if that cannot be told of all."""
    left = set(sockets)
    for pid in reversed(descendants(os.getpid())) if sockets else ():
        try:
            left -= _sockets_of(pid)
        except PermissionError:
            return set()
        except OSError:
            continue  # Gone meanwhile.
        if not left:
            break
    return left


def _owner(sockets: set[str]) -> str:
    pid = _holder(sockets)
    return _words(pid) if pid else _UNKNOWN


def _holder(sockets: set[str]) -> int:
    """Return the process that holds one of the sockets, or 0 where none can be seen."""
    return next((pid for pid in _processes() if _holds(pid, sockets)), 0) if sockets else 0


def _processes() -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except OSError:
        return []


def _holds(pid: int, sockets: set[str]) -> bool:
    try:
        return not sockets.isdisjoint(_sockets_of(pid))
    except OSError:
        return False  # It has just ended, or belongs to another user.


def _sockets_of(pid: int) -> set[str]:
    """Return the inodes of a process's sockets.

    Raises:
        OSError: It is gone; PermissionError: it may not be looked at.
    """
    found = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            continue  # Closed meanwhile.
        if target.startswith("socket:["):
            found.add(target[len("socket:[") : -1])
    return found


def _words(pid: int) -> str:
    return f"{program_of(pid)} (process {pid})"
