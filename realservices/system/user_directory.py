"""The one directory per user, in each place that all users can write to, with everything of ours below it.

Only this user can enter it, so all in it is this user's: what is found there may be locked, used and removed
without a further check. What lies beside it in /tmp or /dev/shm is never looked at, whatever it is called.

The name carries the user id. A name that another user has taken, or that others may write to, is passed over for the
next number, so that nobody can keep a user from having one. Two users can show the same id, too: Bazel's
--sandbox_fake_username makes everybody 65534.
"""

from __future__ import annotations

import os
import stat

from realservices.contract.errors import InfrastructureError
from realservices.system.directory_safety import OVERFLOW_ID, unsafe, untrustworthy
from realservices.system.os_errors import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


_MOST_NUMBERS = 16
_MODE = 0o700


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


def _names(base: str, user_id: int) -> list[str]:
    path = f"{base}/realservices-{user_id}"
    return [path, *(f"{path}-{number}" for number in range(1, _MOST_NUMBERS))]
