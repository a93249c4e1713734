"""Which directories of a machine this user may rely on, and why others are refused."""

from __future__ import annotations

import os
import stat

SHARED_MEMORY = "/dev/shm"
SHORT_BASES = ("/tmp", SHARED_MEMORY, "/var/tmp")
"""Where directories of users lie, the best place first: paths of unix sockets in them are short enough there."""

# As which a user appears in a namespace that has no other id for it (user_namespaces(7)): root, for instance, or this
# user itself in a sandbox.
OVERFLOW_ID = 65534
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def untrustworthy(base: str, *, to_write: bool = True) -> str:
    """Say why a directory of ours must not lie in ``base``, or return "".

    Who may write to a directory may rename what is in it, unless the sticky bit forbids that; its owner always may.

    Args:
        base: The directory.
        to_write: Whether ours is to be made in it.
    """
    try:
        status = os.stat(base)
    except OSError as error:
        return error.strerror or str(error)
    mode = status.st_mode
    if not stat.S_ISDIR(mode):
        return "not a directory"
    if status.st_uid not in (0, os.geteuid(), OVERFLOW_ID):
        return f"it belongs to user {status.st_uid}, who may rename what is in it"
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return f"mode {stat.S_IMODE(mode):04o}: every user may rename what is in it (chmod +t {base})"
    if not to_write or os.access(base, os.W_OK | os.X_OK):
        return ""
    return "a read-only file system" if os.statvfs(base).f_flag & os.ST_RDONLY else "not writable"


def unsafe(path: str) -> str:
    """Say why a directory that was found must not be used as ours, or return ""."""
    try:
        status = os.lstat(path)
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(status.st_mode):
        return "not a directory"
    if status.st_uid != os.geteuid():
        return f"it belongs to user {status.st_uid}, not to user {os.geteuid()}"
    if status.st_mode & _WRITABLE_BY_OTHERS:
        return f"mode {stat.S_IMODE(status.st_mode):04o}: others may write to it (chmod go-w {path})"
    # An owner without a name here shows as the overflow id, which may equal our own: only a real access settles it.
    return "" if os.access(path, os.R_OK | os.W_OK | os.X_OK) else "this user may not use it (chmod u+rwx)"
