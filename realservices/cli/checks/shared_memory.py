"""Shared memory, the registry in it, and the short paths of unix sockets."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

from realservices.cli.checks.finding import Finding, error, warning
from realservices.cli.checks.scratch_directory import scratch_directory
from realservices.contract.errors import InfrastructureError
from realservices.contract.user_variables import REGISTRY
from realservices.control.console import shown_bytes
from realservices.host.unpacked_templates import free_bytes
from realservices.system.directory_safety import SHARED_MEMORY, SHORT_BASES, untrustworthy
from realservices.system.registry_directory import REGISTRY_BASES, present_registries, refusal

# A small schema unpacked is 20 MB, its private copy 50 MB, and 16 MB are left to others.
_ENOUGH_SHARED = 128 << 20
_ENOUGH_TEMPORARY = 512 << 20
# A session makes some dozens of files and directories, a private copy of a template a few thousand.
_ENOUGH_INODES = 5000
_LONGEST_SOCKET = 107  # unix(7), with the byte that ends it.
_DEGRADED = "each PostgreSQL unpacks a private copy of its template onto disk: 0.1 to 1 s more for each test action"


def check_shared_memory() -> Finding:
    """Look at /dev/shm: there, writable, with room for templates."""
    identity = "shared_memory", SHARED_MEMORY
    if sys.platform != "linux":
        return Finding(*identity, f"not needed on {sys.platform}")
    if not Path(SHARED_MEMORY).is_dir() or not os.access(SHARED_MEMORY, os.W_OK | os.X_OK):
        state = "not writable by this user" if Path(SHARED_MEMORY).is_dir() else "there is none"
        return warning(
            *identity, state,
            meaning=f"Launchers in different sandboxes do not see each other's locks, and {_DEGRADED}.",
            remedy=f"sudo mount -t tmpfs -o mode=1777,size=2g tmpfs {SHARED_MEMORY}",
        )  # fmt: skip
    status = os.statvfs(SHARED_MEMORY)
    free, size = free_bytes(SHARED_MEMORY), status.f_blocks * status.f_frsize
    found = f"{shown_bytes(free)} of {shown_bytes(size)} free"
    refusal = _refusal_to_write()
    if refusal or free < _ENOUGH_SHARED:
        return warning(
            *identity, found + (f"; writing 64 KB: {refusal}" if refusal else ""),
            meaning=f"Unpacked templates share this space ({shown_bytes(_ENOUGH_SHARED)} do for a small schema). "
            f"Without it, {_DEGRADED}.",
            remedy=f"sudo mount -o remount,size=2g {SHARED_MEMORY} (docker run --shm-size=2g), or free some: "
            f"du -sh {SHARED_MEMORY}/*; python -m realservices clean --templates",
        )  # fmt: skip
    return Finding(*identity, found)


def check_registry() -> Finding:
    """Look at the directory where launchers meet, or at where it would be made."""
    identity = "registry", "registry"
    meaning = "Launchers keep their locks and unpacked templates there: without one no test starts."
    override = os.environ.get(REGISTRY, "")
    for path in present_registries():
        return Finding(*identity, path)
    if override and os.path.lexists(override):
        return error(
            *identity, f"{override} is not safe: {refusal(override)}",
            meaning=meaning, remedy=f"export {REGISTRY}=DIRECTORY (one that only this user can write to)",
        )  # fmt: skip
    reasons = []
    for base in (_nearest(override),) if override else REGISTRY_BASES:
        reason = untrustworthy(base)
        if not reason:
            return Finding(*identity, f"{override or f'{base}/realservices-{os.geteuid()}'}, made at its first use")
        reasons.append(f"{base}: {reason}")
    return error(
        *identity, f"cannot be made: {'; '.join(reasons)}",
        meaning=meaning, remedy=f"export {REGISTRY}=DIRECTORY (one that only this user can write to)",
    )  # fmt: skip


def check_socket_paths() -> Finding:
    """Make a unix socket where services have theirs, below a path that is as long as theirs can be."""
    identity = "socket_paths", "unix sockets"
    bases = [base for base in SHORT_BASES if os.access(base, os.W_OK | os.X_OK)]
    if not bases:
        return error(
            *identity, f"none of {', '.join(SHORT_BASES)} can be written to",
            meaning=f"Paths of unix sockets have {_LONGEST_SOCKET} bytes at most, so they are made in one of these: "
            "no test starts.",
            remedy="sudo chmod 1777 /tmp (docker run --tmpfs /tmp)",
        )  # fmt: skip
    try:
        with scratch_directory(*bases) as directory:
            path = f"{directory}/{'s' * (_LONGEST_SOCKET - len(directory) - 2)}"
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(path)
    except (OSError, InfrastructureError) as refused:
        return error(
            *identity, f"cannot be made in {bases[0]}: {getattr(refused, 'strerror', '') or refused}",
            meaning="PostgreSQL, Redis and the launcher itself listen on unix sockets: no test starts.",
            remedy=f"Make room in {bases[0]}, on a file system that has sockets (not a network share)",
        )  # fmt: skip
    return Finding(*identity, bases[0])


def check_temporary_space() -> Finding:
    """Look at the room for what tests write, and for private copies."""
    base = next((base for base in SHORT_BASES if os.access(base, os.W_OK | os.X_OK)), "/")
    free = free_bytes(base)
    status = os.statvfs(base)
    # File systems that make inodes as they need them say 0.
    if status.f_files and status.f_favail < _ENOUGH_INODES:
        return warning(
            "temporary_space", "temporary files", f"{status.f_favail} of {status.f_files} inodes free in {base}",
            meaning="Each file and directory takes an inode; without one nothing can be made, whatever space is free.",
            remedy=f"Remove files: du --inodes -xs {base}/*; python -m realservices clean",
        )  # fmt: skip
    if free < _ENOUGH_TEMPORARY:
        return warning(
            "temporary_space", "temporary files", f"{shown_bytes(free)} free in {base}",
            meaning="Logs, files of tests and private copies of templates (50 MB each) go there.",
            remedy=f"Make room: du -xsh {base}/*; python -m realservices clean",
        )  # fmt: skip
    return Finding("temporary_space", "temporary files", f"{shown_bytes(free)} free in {base}")


def _refusal_to_write() -> str:
    """Write to shared memory; return why that is not possible, or ""."""
    try:
        with scratch_directory(SHARED_MEMORY) as directory:
            Path(directory, "file").write_bytes(b"x" * (64 << 10))
    except OSError as refused:
        return os.strerror(refused.errno or errno.EIO)
    except InfrastructureError as refused:
        return str(refused)
    return ""


def _nearest(path: str) -> str:
    """Return the deepest directory on the way to a path that is there."""
    while not os.path.isdir(path) and path not in ("", "/"):
        path = os.path.dirname(os.path.abspath(path))
    return path
