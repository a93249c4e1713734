"""Which class runs each kind of service."""

from __future__ import annotations

from realservices.contract.errors import ManifestError
from realservices.contract.shapes import ShapeError
from realservices.kinds.registry import find, load, register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.contract.manifest import ServiceSpec
    from realservices.services.base import Service


def class_of(spec: ServiceSpec, label: str, runfiles: str) -> type[Service]:
    """Return the class that runs a service.

    Args:
        spec: The service.
        label: The test target, for the message.
        runfiles: The directory that runfiles paths start from.

    Raises:
        ManifestError: There is no such kind, or it cannot be configured like this.
    """
    try:
        if spec.package:
            register(spec.kind, spec.package, [f"{runfiles}/{path}" for path in spec.import_paths])
            find(spec.kind).check_config(spec.config, f"{spec.label}: config")
        found = find(spec.kind)
    except (ManifestError, ShapeError) as error:
        raise ManifestError(f"{label}: {error}") from None
    service: type[Service] = load(found, found.server)
    return service
