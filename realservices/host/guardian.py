"""The guardian: a process that outlives a killed launcher just long enough to clean up after it.

It holds the read end of a pipe whose write end only the launcher has. End-of-file without a word means that the
launcher died: the guardian then kills every process that carries the launcher's mark in its environment and removes
their shared memory and the launcher's directories. The launcher's locks are inherited, so nobody gets its ports before
that is done.
"""

from __future__ import annotations

import os
import signal
import time

from realservices.host.process import libc
from realservices.host.sandbox import remove_tree

# A process that forks while it is being killed leaves a child for the next sweep; one that cannot be killed
# (uninterruptible sleep) must not hold the guardian for ever.
_MOST_SWEEPS = 200
_SWEEP_PAUSE_S = 0.01
_IPC_RMID = 0


class Guardian:
    """Watches over the launcher from `start_guardian` until `dismiss`.

    Attributes:
        pid: The guardian's process id.
    """

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self._pipe = pipe

    def dismiss(self) -> None:
        """Tell the guardian that the launcher has cleaned up itself, and wait for its end."""
        os.write(self._pipe, b"x")
        os.close(self._pipe)
        os.waitpid(self.pid, 0)


def start_guardian(mark: str, paths: list[str]) -> Guardian:
    """Fork the guardian.

    Args:
        mark: ``NAME=value`` in the environment of every process that belongs to this launcher.
        paths: Directories to remove after the launcher's sudden death.
    """
    read_end, write_end = os.pipe()
    # What ends a test must not end the guardian: blocked before there is one, and in it for ever.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(read_end)
        return Guardian(pid, write_end)
    try:
        os.close(write_end)
        os.setsid()
        # Whoever waits for the end of the test's output must not wait for the guardian.
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        if os.read(read_end, 1) == b"":
            _remove_segments(kill_marked(mark))
            for path in paths:
                remove_tree(path)
    finally:
        os._exit(0)


def kill_marked(mark: str) -> list[int]:
    """Kill every process of this user with ``mark`` in its environment, and return the process ids.

    Linux only, by /proc; elsewhere nothing is found. Sweeps until none is left, as new ones may be forked meanwhile.
    """
    killed: list[int] = []
    for _ in range(_MOST_SWEEPS):
        found = _marked(mark.encode())
        if not found:
            break
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.append(pid)
        time.sleep(_SWEEP_PAUSE_S)
    return killed


def _remove_segments(creators: list[int]) -> None:
    """Remove the SysV shared memory that killed processes made: unlike all else it outlives them (shmctl(2))."""
    try:
        with open("/proc/sysvipc/shm", encoding="ascii") as file:
            lines = file.readlines()[1:]
    except FileNotFoundError:
        return
    for fields in map(str.split, lines):
        if int(fields[4]) in creators:
            libc.shmctl(int(fields[1]), _IPC_RMID, None)


def _marked(mark: bytes) -> list[int]:
    found: list[int] = []
    if not os.path.isdir("/proc/self"):
        return found
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                continue  # Gone meanwhile, or somebody else's.
    return found
