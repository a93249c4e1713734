"""The registry: the one directory per user where launchers of all sandboxes meet.

On Linux it lies in /dev/shm, because Bazel's sandbox gives every action a /tmp of its own but shares /dev/shm
(a lock file in /tmp coordinates nothing there). It holds lock files of slots, unpacked templates, and marks of what
runs for a developer (service groups, `up`), nothing else.
"""

from __future__ import annotations

import os

from realservices.contract.errors import InfrastructureError

REGISTRY_BASES = ("/dev/shm", "/tmp")
_MOST_OWNERS = 16


def registry_directory() -> str:
    """Return the registry's path, made if need be, owned by this user and closed to others (0700).

    The name carries the user id. Two users can show the same id (Bazel's --sandbox_fake_username makes everybody
    65534), so a directory that belongs to somebody else is passed over for the next number.

    Raises:
        InfrastructureError: No directory could be made.
    """
    override = os.environ.get("REALSERVICES_REGISTRY")
    if override:
        try:
            os.makedirs(override, mode=0o700, exist_ok=True)
        except OSError as error:
            raise InfrastructureError("registry", f"REALSERVICES_REGISTRY={override}: {error.strerror}") from None
        return override
    tried: list[str] = []
    for base in REGISTRY_BASES:
        if not os.access(base, os.W_OK | os.X_OK):
            tried.append(f"{base}: not writable")
            continue
        for number in range(_MOST_OWNERS):
            path = f"{base}/realservices-{os.geteuid()}" + (f"-{number}" if number else "")
            if _own(path):
                return path
            tried.append(f"{path}: belongs to another user")
    raise InfrastructureError(
        "registry", "no directory for locks and templates: " + "; ".join(tried) + "; set REALSERVICES_REGISTRY to one"
    )


def present_registries() -> list[str]:
    """Return the registries that this user has already, the one in use first; nothing is made."""
    override = os.environ.get("REALSERVICES_REGISTRY")
    if override:
        return [override] if os.path.isdir(override) else []
    numbers = ["", *(f"-{number}" for number in range(1, _MOST_OWNERS))]
    paths = [f"{base}/realservices-{os.geteuid()}{number}" for base in REGISTRY_BASES for number in numbers]
    return [path for path in paths if os.path.lexists(path) and _is_own(path)]


def _own(path: str) -> bool:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError:
        return False
    return _is_own(path)


def _is_own(path: str) -> bool:
    status = os.lstat(path)
    is_directory = (status.st_mode & 0o170000) == 0o040000
    # An unmapped owner shows as the overflow id, which may equal our own: only a real access settles it.
    return is_directory and status.st_uid == os.geteuid() and os.access(path, os.R_OK | os.W_OK | os.X_OK)
