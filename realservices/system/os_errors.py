"""What the machine did not give, in words: which resource, how much of it there is, and what to do about it.

The kernel says `No space left on device`; whoever reads that in a test's log needs to know which file system that is,
and whether bytes or inodes are missing. Nothing here opens a file: there may be no descriptor left.
"""

from __future__ import annotations

import errno
import os
import sys

from realservices.contract.errors import InfrastructureError
from realservices.system.directory_safety import SHORT_BASES, untrustworthy

_CLEAN = "`python -m realservices clean` removes what killed sessions left"
# Where this package writes to; asked when the kernel does not say which file it was.
_PLACES = ("TEST_TMPDIR", "TMPDIR", "TEST_UNDECLARED_OUTPUTS_DIR", "XDG_CACHE_HOME")
_ENOUGH_BYTES = 1 << 20
# Numbers of resource.h.
_LINUX = os.uname().sysname == "Linux"
_NPROC, _NOFILE = (6, 7) if _LINUX else (7, 8)
_INFINITE = (-1, 2**64 - 1, 2**63 - 1)


def explain(error: OSError, doing: str) -> InfrastructureError:
    """Return the error that says what the machine did not give.

    Args:
        error: What the kernel said, with the file where it names one.
        doing: What was not possible, as the beginning of a sentence: "service 'db' could not be started".
    """
    component, words = _lack(error, doing)
    return InfrastructureError(component, f"{doing}: {words}")


def explain_thread(doing: str) -> InfrastructureError:
    """Return the error for a thread that cannot be started: Python's own is a RuntimeError without a number."""
    return explain(BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), doing)


def is_lack(error: OSError) -> bool:
    """Return whether an error is about a resource that has run out, and not about one file."""
    return error.errno in _LACKS


def _lack(error: OSError, doing: str) -> tuple[str, str]:
    if error.errno in _LACKS:
        component, describe = _LACKS[error.errno]
        return component, describe(error)
    path = _named(error)
    if error.errno in (errno.EACCES, errno.EPERM) and path:
        return "permissions", f"no permission for {path}, as user {os.geteuid()}{_owner(path)}"
    return "machine", f"{error.strerror or error}{f': {path}' if path and path not in doing else ''}"


def _full(error: OSError) -> str:
    path = _named(error)
    places = [path] if path else _full_places()
    if not places:
        return f"{error.strerror}; the system does not say where; make room in {', '.join(SHORT_BASES)}: {_CLEAN}"
    found = "; ".join(_room(place) for place in places)
    return f"{error.strerror}: {found}; make room there ({_CLEAN}){_larger(places[0])}{_passed_over()}"


def _passed_over() -> str:
    """Name a place that may have room, and that is not used because others may rename what is in it."""
    reasons = [(base, untrustworthy(base)) for base in SHORT_BASES]
    return "".join(f"; {base} is not used: {reason}" for base, reason in reasons if reason.startswith("mode"))


def _larger(path: str) -> str:
    return ", or give the container more (docker run --shm-size=1g)" if path.startswith("/dev/shm") else ""


def _quota(error: OSError) -> str:
    path = _named(error)
    where = f" on the file system of {path}" if path else ""
    return f"the quota of user {os.geteuid()}{where} is used up; remove files there, or have it raised"


def _read_only(error: OSError) -> str:
    path = _named(error) or "a directory"
    return f"{path} lies on a read-only file system; mount it writable, or name another directory (TMPDIR, HOME)"


def _descriptors(error: OSError) -> str:
    return f"no file descriptor is left: {_limit(_NOFILE, 'RLIMIT_NOFILE')}; raise it (`ulimit -n 4096`)"


def _files(error: OSError) -> str:
    return "the machine has no open file left (sysctl fs.file-max); end programs, or raise it"


def _processes(error: OSError) -> str:
    return (
        f"no further process or thread can be started: {_limit(_NPROC, 'RLIMIT_NPROC')}; the machine and its "
        "containers have limits of their own (sysctl kernel.pid_max, kernel.threads-max; pids.max of the cgroup); end "
        "programs, run fewer tests at once (bazel test --jobs, pytest -n), or raise the limit (`ulimit -u 4096`)"
    )


def _memory(error: OSError) -> str:
    return "no memory is left; end programs, or run fewer tests at once (bazel test --jobs, pytest -n)"


_LACKS = {
    errno.ENOSPC: ("disk", _full),
    errno.EDQUOT: ("disk", _quota),
    errno.EROFS: ("disk", _read_only),
    errno.EMFILE: ("descriptors", _descriptors),
    errno.ENFILE: ("descriptors", _files),
    errno.EAGAIN: ("processes", _processes),
    errno.ENOMEM: ("memory", _memory),
}


def _named(error: OSError) -> str:
    """Return the file that an error names: of two, the one that was to be made."""
    name = error.filename2 or error.filename
    if isinstance(name, int) or not name:
        return ""
    return os.fsdecode(name)


def _full_places() -> list[str]:
    named = (os.environ.get(name, "") for name in _PLACES)
    places: dict[int, str] = {}
    for path in (*named, *SHORT_BASES):
        try:
            status = os.statvfs(path)
            device = os.stat(path).st_dev
        except OSError:
            continue
        has_room = status.f_bavail * status.f_frsize > _ENOUGH_BYTES and (status.f_favail or not status.f_files)
        if not has_room:
            places.setdefault(device, path)
    return list(places.values())


def _room(path: str) -> str:
    present = path
    while not os.path.exists(present) and os.path.dirname(present) != present:
        present = os.path.dirname(present)
    try:
        status = os.statvfs(present or ".")
    except OSError:
        return f"the file system of {path}"
    unit = status.f_frsize
    room = f"{_shown(status.f_bavail * unit)} of {_shown(status.f_blocks * unit)} are free"
    # File systems that make inodes as they need them say 0.
    inodes = f", {status.f_favail} of {status.f_files} inodes" if status.f_files else ""
    return f"the file system of {path}: {room}{inodes}"


def _shown(size: int) -> str:
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def _owner(path: str) -> str:
    try:
        status = os.lstat(path)
    except OSError:
        return ""
    return f"; it belongs to user {status.st_uid} and has mode {status.st_mode & 0o7777:o}"


def _limit(number: int, name: str) -> str:
    try:
        soft, hard = ("unlimited" if value in _INFINITE else str(value) for value in _limits(number))
    except (ImportError, OSError):
        return f"{name} is reached"
    return f"{name} is {soft}" + (f" (at most {hard})" if hard != soft else "")


def _limits(number: int) -> tuple[int, int]:
    # To import either takes a descriptor: the launcher has ctypes already, and other processes import resource early.
    loaded = sys.modules.get("resource")
    if loaded:
        soft, hard = loaded.getrlimit(number)
        return soft, hard
    import ctypes  # noqa: PLC0415 - as above

    values = (ctypes.c_ulong * 2)()
    if ctypes.CDLL(None).getrlimit(number, values):
        raise OSError
    return values[0], values[1]
