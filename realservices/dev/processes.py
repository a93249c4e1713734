"""Which process is meant by an id that was written down earlier, and which one listens on a port."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_LISTENING = "0A"  # TCP_LISTEN of the kernel's include/net/tcp_states.h, as /proc/net/tcp shows it.


def start_of(pid: int) -> str:
    """Return when a process was started, in the kernel's own ticks since boot: ids are used again, this is not.

    "" where there is no such process, or no way to tell.
    """
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    # Field 22 of proc(5); the name before it is in parentheses and may hold blanks.
    return text.rpartition(")")[2].split()[19]


def is_alive(pid: int, start: str) -> bool:
    """Say whether a process still runs.

    Args:
        pid: Its id.
        start: What `start_of` said when it was written down. "": any process of this id is taken for it.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # It runs, as somebody else.
    return not start or start_of(pid) == start


def listener_on(port: int) -> str:
    """Return in words which process listens on a port of this machine's loopback."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for directory in _PROC.glob("[0-9]*") if sockets else ():
        try:
            if any(os.readlink(entry) in sockets for entry in (directory / "fd").iterdir()):  # noqa: PTH115 - no path
                return f"process {directory.name} ({_name(directory)})"
        except OSError:
            continue  # Gone meanwhile, or another user's.
    return f"a process that this user may not look at (`ss -ltnp 'sport = {port}'` as root names it)"


def _inodes(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for words in map(str.split, lines):
            if words[3] == _LISTENING and int(words[1].rpartition(":")[2], 16) == port:
                found.add(words[9])
    return found


def _name(directory: Path) -> str:
    words = (directory / "cmdline").read_bytes().split(b"\0")
    # Not the whole command line: it may hold a password.
    shown = [word.decode(errors="replace") for word in words[:2] if word and not word.startswith(b"-")]
    return " ".join(shown) or (directory / "comm").read_text(encoding="utf-8").strip()
