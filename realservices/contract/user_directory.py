"""The one directory per user, in each place that all users can write to, with everything of ours below it.

Nobody else can enter it, so nothing in it can be somebody else's: what is found there may be locked, used and removed
without asking whose it is. What lies beside it in /tmp or /dev/shm is never looked at, whatever it is called.

The name carries the user id. A name that somebody else has taken, or that others may write to, is passed over for the
next number, so that nobody can keep a user from having one. Two users can show the same id, too: Bazel's
--sandbox_fake_username makes everybody 65534.
"""

from __future__ import annotations

import os
import stat

from realservices.contract.errors import InfrastructureError
from realservices.contract.resources import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SHARED_MEMORY = "/dev/shm"
SHORT_BASES = ("/tmp", SHARED_MEMORY, "/var/tmp")
"""Where such a directory may lie, the best place first: paths of unix sockets in it are short enough there."""

_MOST_NUMBERS = 16
# As which a user appears in a namespace that has no other id for it (user_namespaces(7)): root, for instance, or this
# user itself in a sandbox.
OVERFLOW_ID = 65534
_MODE = 0o700
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def user_directory(bases: Iterable[str], *, component: str, purpose: str, remedy: str) -> str:
    """Return this user's directory in the first of the bases that can have one; it is made if need be.

    Args:
        bases: Directories, the best one first.
        component: Who needs it, for Bazel's infrastructure failure file.
        purpose: What it is for, for the message.
        remedy: What helps where there is none, for the message.

    Raises:
        InfrastructureError: None of the bases can have one.
    """
    tried: list[str] = []
    for base in bases:
        path, reasons = _find(base)
        if path:
            return path
        tried += reasons
    raise InfrastructureError(component, f"no directory for {purpose}: {'; '.join(tried)}; {remedy}")


def _find(base: str) -> tuple[str, list[str]]:
    """Return this user's directory in a base, or "" and why there is none."""
    reason = untrustworthy(base)
    if reason:
        return "", [f"{base}: {reason}"]
    reasons: list[str] = []
    for path in _names(base, os.geteuid()):
        try:
            os.mkdir(path, _MODE)
        except FileExistsError:
            pass
        except OSError as error:
            return "", [*reasons, str(explain(error, path))]
        reason = unsafe(path)
        if not reason:
            _close(path)
            return path, []
        reasons.append(f"{path}: {reason}")
    return "", reasons


def _close(path: str) -> None:
    """Close this user's directory to others, who may read what was made by hand."""
    if stat.S_IMODE(os.lstat(path).st_mode) != _MODE:
        os.chmod(path, _MODE)


def present_user_directories(bases: Iterable[str]) -> list[str]:
    """Return those that this user has already, in the order of the bases; nothing is made."""
    ids = dict.fromkeys((os.geteuid(), OVERFLOW_ID))
    paths = [path for base in bases for each in ids for path in _names(base, each)]
    return [path for path in paths if os.path.lexists(path) and not unsafe(path)]


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


def _names(base: str, user_id: int) -> list[str]:
    path = f"{base}/realservices-{user_id}"
    return [path, *(f"{path}-{number}" for number in range(1, _MOST_NUMBERS))]
