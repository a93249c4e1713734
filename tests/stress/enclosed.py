"""A machine for one stress run: files, shared memory, network and SysV segments that nobody else uses.

What is left in it after the run is a leak, and nothing that others do can be mistaken for one.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
from pathlib import Path
from types import FrameType

_ENCLOSURE = Path(__file__).absolute().parent.parent / "host" / "enclosure.py"
_PRIVATE = ["--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--tmpfs", "/dev/shm", "--ipc", "--net"]
_INSIDE = "STRESS_IS_ENCLOSED"
_PR_SET_CHILD_SUBREAPER = 36
# Where a run keeps its own files: not where launchers put theirs.
WORK = Path("/var/tmp")


def enclose(*options: str) -> None:
    """Start this program again in an enclosure, unless it is in one; then make it the parent of all orphans."""
    if os.environ.get(_INSIDE) != "1":
        env = os.environ | {_INSIDE: "1"}
        python = [sys.executable, "-B"]
        argv = [*python, str(_ENCLOSURE), *_PRIVATE, *options, "--", *python, *sys.argv]
        os.execve(argv[0], argv, env)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def await_all_ends(deadline_s: int) -> list[str]:
    """Wait until no descendant is left; return those that still run at the deadline."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(deadline_s)
    try:
        while True:
            os.wait()
    except ChildProcessError:
        return []
    except TimeoutError:
        return [f"process {pid}: {_command_line(pid)}" for pid in _descendants(os.getpid())]
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def leaks() -> list[str]:
    """Return whatever a launcher has left in the enclosure, once all processes have ended."""
    found = [
        f"directory {path}"
        for base in ("/tmp", "/dev/shm", "/var/tmp")
        for path in Path(base).glob("realservices-*/*.*")
    ]
    found += [
        f"shared memory {path}" for path in Path("/dev/shm").iterdir() if not path.name.startswith("realservices-")
    ]
    found += [
        f"lock {path}" for path in Path("/dev/shm").glob("realservices-*/*/*") if path.is_file() and _is_locked(path)
    ]
    for kind in ("shm", "sem", "msg"):
        found += [f"SysV {kind} {line}" for line in Path(f"/proc/sysvipc/{kind}").read_text("ascii").splitlines()[1:]]
    mounts = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    found += [f"mount {line}" for line in mounts if "/run." in line or "/session." in line]
    sockets = Path("/proc/self/net/unix").read_text("utf-8").splitlines()
    found += [f"name {line.split()[-1]}" for line in sockets if "realservices-ports" in line]
    listeners = Path("/proc/self/net/tcp").read_text("ascii").splitlines()[1:]
    found += [f"listener {line.split()[1]}" for line in listeners if line.split()[3] == "0A"]
    return found


def unfinished_templates() -> list[str]:
    """Return templates that were left half unpacked or half removed."""
    return [str(path) for path in Path("/dev/shm").glob("realservices-*/templates/*.partial")]


def left_blocks() -> list[str]:
    """Return the lock files of blocks of ports; nobody holds them any more."""
    return [f"lock {path}" for path in Path("/dev/shm").glob("realservices-*/slots/*")]


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    return children + [grandchild for child in children for grandchild in _descendants(child)]


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
