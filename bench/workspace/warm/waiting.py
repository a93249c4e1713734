"""What waits for a session: the services of the one registry that a measurement has for itself."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

_DEADLINE_S, _PAUSE_S = 60.0, 0.02
_IDLE_S = 5.0
_KB_OF_MB = 1024


def await_offer(*names: str) -> dict[str, Any]:
    """Wait until services of these names are ready for whoever comes; return what is said of them."""
    from realservices.system.warm_pool import look_at, waiting_sessions  # noqa: PLC0415 - found on a path set meanwhile

    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        for found in filter(None, map(look_at, waiting_sessions())):
            description: dict[str, Any] = json.loads(found)
            if all(description["services"].get(name, {}).get("state") == "ready" for name in names):
                return description
        time.sleep(_PAUSE_S)
    raise SystemExit(f"no {', '.join(names)} waits for a session after {_DEADLINE_S:.0f} s")


def end_offers() -> None:
    """End all that waits."""
    from realservices.system.warm_pool import end_session, waiting_sessions  # noqa: PLC0415 - as above

    for name in waiting_sessions():
        end_session(name)


def costs(description: dict[str, Any]) -> dict[str, float]:
    """Return what the machine has less because services wait, over all processes that are there for them.

    Memory is their proportional set size (bench/workspace/memory/probe.py), and the files that they have in memory.
    Of it ``not_files`` is without the pages of program files, which others may share.
    """
    processes = _family(description["pid"])
    directories = set(filter(None, map(_directory, processes)))
    in_memory = [path for path in directories if path.is_relative_to("/dev/shm")]  # noqa: S108 - only looked at
    files = {file for path in in_memory for file in path.rglob("*") if file.is_file()}
    files_kb = sum(file.stat().st_blocks / 2 for file in files)
    memory_kb = [_memory_kb(pid) for pid in processes]
    return {
        "waiting_mb": (files_kb + sum(each["Pss"] for each in memory_kb)) / _KB_OF_MB,
        "waiting_not_files_mb": (files_kb + sum(each["Pss"] - each["Pss_File"] for each in memory_kb)) / _KB_OF_MB,
        "waiting_cpu_ms_per_s": _processor_ms(processes, _IDLE_S) / _IDLE_S,
    }


def _processor_ms(processes: list[int], seconds: float) -> float:
    """Return how long they keep processors busy in the next seconds."""
    before = {pid: _used_ms(pid) for pid in processes}
    time.sleep(seconds)
    return sum(max(0.0, _used_ms(pid) - used) for pid, used in before.items())


# A process may end between one look and the next: it costs nothing then. A file of it is not there (FileNotFoundError),
# or cannot be read any more (ProcessLookupError).
_ENDED = (FileNotFoundError, ProcessLookupError)


def _used_ms(pid: int) -> float:
    try:
        # After the name, which may hold anything, the first field is the third one of proc(5).
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except _ENDED:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> list[int]:
    children: list[str] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(*_ENDED):  # A thread ends, too.
                children += (task / "children").read_text().split()
    except _ENDED:
        return []
    return [pid, *(each for child in children for each in _family(int(child)))]


def _directory(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except _ENDED:
        return None


def _memory_kb(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except _ENDED:
        return {"Pss": 0, "Pss_File": 0}
    return {line.split()[0].rstrip(":"): int(line.split()[1]) for line in lines if line.startswith("Pss")}
