"""Which class runs each kind of service.

A kind's module is imported when a test has a service of that kind: every test waits for what the launcher imports.
"""

from __future__ import annotations

from realservices.contract.errors import ManifestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.services.base import Service

# Kind: module of this folder, class.
_CLASSES = {
    "clickhouse": ("clickhouse", "ClickHouse"),
    "executable": ("executable", "Executable"),
    "postgres": ("postgres", "Postgres"),
    "redis": ("redis", "Redis"),
}


def class_of(kind: str, label: str) -> type[Service]:
    """Return the class that runs a kind.

    Args:
        kind: As the manifest says.
        label: The test target, for the message.

    Raises:
        ManifestError: There is no such kind.
    """
    if kind not in _CLASSES:
        raise ManifestError(f"{label}: unknown kind of service {kind!r}; known are {sorted(_CLASSES)}")
    module, name = _CLASSES[kind]
    found: type[Service] = getattr(__import__(f"realservices.services.{module}", fromlist=[name]), name)
    return found
