"""A launcher's processes, as the kernel tells of them."""

from __future__ import annotations

from pathlib import Path


def children(pid: int) -> list[int]:
    """Return the process ids of a launcher's children: its services, its program, its guardian."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def guardian_of(pid: int) -> int:
    """Return the process id of a launcher's guardian: the first child that has the launcher's own command line.

    Others have it until they have become a program, or for as long as they unpack files.
    """
    own = Path(f"/proc/{pid}/cmdline").read_bytes()
    guardian, *_ = [child for child in children(pid) if Path(f"/proc/{child}/cmdline").read_bytes() == own]
    return guardian
