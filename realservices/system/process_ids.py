"""Processes by their ids: which is meant by one that was written down, what it is called, what it has started."""

from __future__ import annotations

import os


def start_of(pid: int) -> str:
    """Return when a process was started, in the kernel's own ticks since boot: ids are used again, this is not.

    "" where there is no such process, or no way to tell.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            text = file.read()
    except OSError:
        return ""
    # Field 22 of proc(5); the name before it is in parentheses and may hold blanks.
    return text.rpartition(")")[2].split()[19]


def is_alive(pid: int, start: str) -> bool:
    """Return whether a process still runs.

    Args:
        pid: Its id.
        start: The start time that was recorded with the id (`start_of`); "" accepts any process with this id.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # It runs, as another user.
    return not start or start_of(pid) == start


def program_of(pid: int) -> str:
    """Return what a process calls itself."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process that has just ended"


def descendants(pid: int) -> list[int]:
    """Return the process ids of all children of ``pid`` and theirs (Linux, by /proc; elsewhere none)."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
    except OSError:
        return []  # No /proc, or it ended meanwhile.
    return found + [grandchild for child in found for grandchild in descendants(child)]
