"""The tag of a launcher, which identifies every process that it has started, and all that those have started.

It is a resource limit, because the kernel hands limits on to every child and through every exec (setrlimit(2)),
whatever a program does with its environment, its session or its parents: nginx overwrites its environment with its
title, and daemons leave their parents. Of all limits RLIMIT_LOCKS has no effect since Linux 2.4.25, so nobody sets it.
Everybody may read it in /proc/PID/limits (proc(5)), also that of a process of another user.

A process that resets its limits (a login by `su -` with pam_limits) or that an older daemon starts on somebody's behalf
(docker, systemd-run) is none of the launcher's.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

from realservices.host.libc import libc

_RLIMIT_LOCKS = 10  # linux/include/uapi/asm-generic/resource.h
_LINE = b"Max file locks "
# Above the number that tells launchers apart: no limit that anybody else would set begins so.
_PREFIX = 0x5253 << 48
# A process that forks while it is being killed leaves a child for the next sweep; one that cannot be killed
# (uninterruptible sleep) must not hold the caller for ever.
_MOST_SWEEPS = 200
_SWEEP_PAUSE_S = 0.01


_children = ""


class _Limit(ctypes.Structure):
    """struct rlimit of getrlimit(2)."""

    _fields_ = (("soft", ctypes.c_ulong), ("hard", ctypes.c_ulong))


def tag_children(name: str) -> None:
    """Have all that this process spawns from now on carry a launcher's tag (host/process.py)."""
    global _children
    _children = name


def tag_child() -> None:
    """Give a child that has just been forked the tag that `tag_children` has named, if any."""
    if _children:
        tag_this_process(_children)


def tag_this_process(name: str) -> None:
    """Tag this process and all that it will start, in the place of any other tag. Does nothing elsewhere than on Linux.

    Args:
        name: The launcher's, 12 hexadecimal digits.
    """
    if sys.platform != "linux":
        return
    limit = _Limit()
    libc.getrlimit(_RLIMIT_LOCKS, ctypes.byref(limit))
    limit.soft = _PREFIX | int(name, 16)
    libc.setrlimit(_RLIMIT_LOCKS, ctypes.byref(limit))  # Refused where somebody has set the hard one.


def kill_tagged(name: str) -> list[int]:
    """Kill every process with a launcher's tag but this one, and return the process ids.

    Sweeps until none is left, as new ones may be forked meanwhile.
    """
    killed: list[int] = []
    for _ in range(_MOST_SWEEPS):
        found = [pid for pid in tagged(name) if pid != os.getpid()]
        if not found:
            break
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            killed += [pid] if pid not in killed else []
        time.sleep(_SWEEP_PAUSE_S)
    return killed


def tagged(name: str) -> list[int]:
    """Return the process ids of all that carry a launcher's tag and have not ended."""
    wanted = str(_PREFIX | int(name, 16)).encode()
    found: list[int] = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/limits", "rb") as file:
                    _, _, rest = file.read().partition(_LINE)
            except OSError:
                continue  # Gone meanwhile, or hidden from this user.
            if rest.split(None, 1)[:1] == [wanted] and not _is_zombie(entry):
                found.append(int(entry))
    return found


def _is_zombie(pid: str) -> bool:
    """Return whether a process has ended and only waits for its parent to take note."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[:1] == [b"Z"]
    except OSError:
        return True
