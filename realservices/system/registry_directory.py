"""The registry: the one directory per user where launchers of all sandboxes meet.

On Linux it lies in /dev/shm, because Bazel's sandbox gives every action a /tmp of its own but shares /dev/shm
(a lock file in /tmp coordinates nothing there). It holds lock files of slots, unpacked templates, and records of what
runs for a developer (service groups, `up`, warm services), nothing else.
"""

from __future__ import annotations

import os

from realservices.contract.errors import InfrastructureError
from realservices.contract.user_variables import REGISTRY
from realservices.system.directory_safety import unsafe, untrustworthy
from realservices.system.os_errors import explain
from realservices.system.user_directory import present_user_directories, user_directory

REGISTRY_BASES = ("/dev/shm", "/tmp")


def registry_directory() -> str:
    """Return the registry's path, made if need be, owned by this user and closed to others (0700).

    Raises:
        InfrastructureError: No directory could be made, or the one that REALSERVICES_REGISTRY names is not safe.
    """
    override = os.environ.get(REGISTRY)
    if not override:
        return user_directory(
            REGISTRY_BASES,
            component="registry",
            purpose="locks and templates",
            remedy=f"set {REGISTRY} to one of this user's",
        )
    try:
        os.makedirs(override, mode=0o700, exist_ok=True)
    except OSError as error:
        raise InfrastructureError("registry", str(explain(error, f"{REGISTRY}={override}"))) from None
    reason = refusal(override)
    if reason:
        raise InfrastructureError(
            "registry",
            f"{REGISTRY}={override} is not safe: {reason}; name a directory that only user {os.geteuid()} may write to",
        )
    return override


def present_registries() -> list[str]:
    """Return the registries that this user has already, the one in use first; nothing is made."""
    override = os.environ.get(REGISTRY)
    if override:
        return [override] if os.path.isdir(override) and not refusal(override) else []
    return present_user_directories(REGISTRY_BASES)


def refusal(path: str) -> str:
    """Say why a directory that the user has named must not be the registry, or return "".

    Also one of those above it can be the reason, if others may put something else in its place.
    """
    reason = unsafe(path)
    above = os.path.dirname(os.path.realpath(path))
    while not reason and above != "/":
        reason = untrustworthy(above, to_write=False)
        reason = reason and f"{above}: {reason}"
        above = os.path.dirname(above)
    return reason
