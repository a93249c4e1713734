"""The wish for warm services, as the environment says it."""

from __future__ import annotations

import os

from realservices.contract.errors import ManifestError

WARM = "REALSERVICES_WARM"
_WISHES = {"1": True, "true": True, "0": False, "false": False}


def warm_wish() -> bool | None:
    """Return whether the environment wants warm services, None where it says nothing.

    Raises:
        ManifestError: It says something that means nothing.
    """
    said = os.environ.get(WARM, "")
    if said and said.lower() not in _WISHES:
        raise ManifestError(f"{WARM}={said!r}; it is one of {', '.join(_WISHES)}")
    return _WISHES[said.lower()] if said else None
