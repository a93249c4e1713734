"""What both sides must know of warm services: the wish for them, and what those who may share them have in common."""

from __future__ import annotations

import os

from realservices.contract.errors import ManifestError

WARM = "REALSERVICES_WARM"
_WORDS = {"1": True, "true": True, "0": False, "false": False}


def wants_warm() -> bool | None:
    """Return whether the environment wants warm services, None where it says nothing.

    Raises:
        ManifestError: It says something that means nothing.
    """
    said = os.environ.get(WARM, "")
    if said and said.lower() not in _WORDS:
        raise ManifestError(f"{WARM}={said!r}; it is one of {', '.join(_WORDS)}")
    return _WORDS[said.lower()] if said else None


def namespace(name: str) -> str:
    """Return which namespace of a kind this process is in, "" where there are none (namespaces(7), Linux only).

    Args:
        name: As in /proc/self/ns; ``net`` says which ports are visible.
    """
    try:
        return os.readlink(f"/proc/self/ns/{name}")
    except OSError:
        return ""
