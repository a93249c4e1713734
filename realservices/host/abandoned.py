"""What killed launchers have left in this user's directories, and its end by the next one that passes by.

Only launchers that were killed together with their guardians leave anything: Bazel ends a sandbox by killing all that
is in it, and shared memory belongs to no sandbox. A lock tells (system/locks.py), so one that runs is
never disturbed, and what is removed is locked meanwhile.
"""

from __future__ import annotations

import os

from realservices.host.libc import libc
from realservices.host.privileges import become_unprivileged
from realservices.host.process_tags import kill_tagged
from realservices.system.abandoned_directories import abandoned_directories, is_id
from realservices.system.locks import lock_abandoned_directory
from realservices.system.removal import remove_tree

_IPC_RMID = 0


def remove_abandoned(directory: str) -> None:
    """End and remove what was left in a directory of this user's (system/user_directory.py)."""
    for path in abandoned_directories(directory):
        lock = lock_abandoned_directory(path)
        if lock >= 0:
            try:
                end_abandoned_directory(path)
            except OSError:
                pass  # Something is mounted in it, or it is being written to: `clean` names it.
            finally:
                os.close(lock)


def end_abandoned_directory(path: str) -> None:
    """Kill what a launcher has left running, and remove its directory. The caller has locked it.

    Raises:
        OSError: Something in it cannot be removed.
    """
    for name in launcher_ids(path):
        end_processes(name)
    remove_tree(path)


def end_processes(name: str) -> None:
    """Kill all processes of a launcher, and remove the shared memory that they leave.

    Args:
        name: The launcher's, which they carry as their tag.
    """
    killed = kill_tagged(name)
    if killed:
        _remove_segments(killed)


def launcher_ids(path: str) -> list[str]:
    """Return the names of the launchers that lived in a directory: its own, and those that had directories in it."""
    own = path.rpartition(".")[2]
    return [own, *filter(is_id, os.listdir(path))]


def _remove_segments(creators: list[int]) -> None:
    """Remove the SysV shared memory that killed processes made: unlike all else it outlives them (shmctl(2))."""
    try:
        with open("/proc/sysvipc/shm", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
    except FileNotFoundError:
        return
    left = [int(row[1]) for row in rows if int(row[4]) in creators]
    if left and os.geteuid() == 0:
        # In a container root may not remove what belongs to the user that it has given a server to: that takes
        # CAP_SYS_ADMIN.
        pid = os.fork()
        if not pid:
            try:
                become_unprivileged()
                _remove_each(left)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
    _remove_each(left)


def _remove_each(segments: list[int]) -> None:
    for segment in segments:
        libc.shmctl(segment, _IPC_RMID, None)
