"""What killed launchers have left in this user's directories, and its end by the next one that passes by.

Only launchers that were killed together with their guardians leave anything: Bazel ends a sandbox by killing all that
is in it, and shared memory belongs to no sandbox. A lock tells (contract/locked_directory.py), so one that runs is
never disturbed, and what is removed is locked meanwhile.
"""

from __future__ import annotations

import os

from realservices.contract.left_directories import is_id, left_directories
from realservices.contract.locked_directory import lock_left_directory
from realservices.host.marks import kill_marked
from realservices.host.removal import remove_tree


def remove_abandoned(directory: str) -> None:
    """End and remove what was left in a directory of this user's (contract/user_directory.py)."""
    for path in left_directories(directory):
        lock = lock_left_directory(path)
        if lock >= 0:
            try:
                end_left_directory(path)
            except OSError:
                pass  # Something is mounted in it, or it is being written to: `clean` names it.
            finally:
                os.close(lock)


def end_left_directory(path: str) -> None:
    """Kill what a launcher has left running, and remove its directory. The caller has locked it.

    Raises:
        OSError: Something in it cannot be removed.
    """
    for name in launcher_ids(path):
        kill_marked(name)
    remove_tree(path)


def launcher_ids(path: str) -> list[str]:
    """Return the names of the launchers that lived in a directory: its own, and those that had directories in it."""
    own = path.rpartition(".")[2]
    return [own, *filter(is_id, os.listdir(path))]
