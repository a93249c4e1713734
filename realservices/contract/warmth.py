"""Whether this run keeps its services warm, as the environment says."""

from __future__ import annotations

import os

from realservices.contract.errors import ManifestError
from realservices.contract.user_variables import WARM

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
