"""Which class runs each kind of service."""

from __future__ import annotations

from realservices.contract.errors import ManifestError
from realservices.kinds.registry import find, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.services.base import Service


def class_of(kind: str, label: str) -> type[Service]:
    """Return the class that runs a kind.

    Args:
        kind: As the manifest says.
        label: The test target, for the message.

    Raises:
        ManifestError: There is no such kind.
    """
    try:
        found = find(kind)
    except ManifestError as error:
        raise ManifestError(f"{label}: {error}") from None
    service: type[Service] = load(found, found.server)
    return service
