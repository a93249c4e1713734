"""Memory that could be taken now: of the machine, and of the container that this process is in."""

from __future__ import annotations

_CONTAINER = "/sys/fs/cgroup"
_KILOBYTE = 1024


def free_memory_bytes() -> float:
    """Return how many bytes could be taken without swapping; 0 where nobody says, infinitely many never."""
    return min(_left_to_machine(), left_to_container())


def left_to_container() -> float:
    """Return how many bytes the container may still take; infinitely many where it has no limit."""
    try:
        limit = _read(f"{_CONTAINER}/memory.max").strip()
        return float("inf") if limit == "max" else max(0, int(limit) - int(_read(f"{_CONTAINER}/memory.current")))
    except (OSError, ValueError):
        return float("inf")


def _left_to_machine() -> int:
    try:
        lines = _read("/proc/meminfo").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * _KILOBYTE for line in lines if line.startswith("MemAvailable:")), 0)


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()
