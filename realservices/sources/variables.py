"""The variables that name external services. By itself, because every session asks whether one is set."""

from __future__ import annotations

import os

from realservices.kinds.registry import find_known

_BY_URL = {"http": "TEST_HTTP_URL", "websocket": "TEST_WEBSOCKET_URL", "llm": "TEST_LLM_URL"}
_BEGIN, _END = "TEST_", "_HOST"
# The kinds whose variables this session itself has set, for the code under test.
EXPORTED = "REALSERVICES_EXPORTED"


def variable_of(kind: str) -> str:
    """Return the variable that names a service of a kind, or one that speaks ``http``, ``websocket`` or ``llm``."""
    return _BY_URL.get(kind) or f"{_BEGIN}{kind.upper()}{_END}"


def external_kinds() -> list[str]:
    """Return the kinds that the environment names a service of, in alphabetical order; then what speaks by URL."""
    exported = os.environ.get(EXPORTED, "").split()
    hosts = sorted(
        name for name, value in os.environ.items() if name.startswith(_BEGIN) and name.endswith(_END) and value
    )
    kinds = [kind for kind in (name[len(_BEGIN) : -len(_END)].lower() for name in hosts) if _can_be_external(kind)]
    kinds += [kind for kind, name in _BY_URL.items() if os.environ.get(name)]
    return [kind for kind in kinds if kind not in exported]


def _can_be_external(kind: str) -> bool:
    found = find_known(kind)
    return found is not None and variable_of(kind) in found.variables
