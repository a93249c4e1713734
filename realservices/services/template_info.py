"""The description of a service's template, read before the service starts."""

from __future__ import annotations

from realservices.contract.errors import ManifestError
from realservices.contract.template_info import load_template_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.contract.manifest import ServiceSpec


def read_info(spec: ServiceSpec, path: str) -> dict[str, Any]:
    """Read the description of a service's template.

    Raises:
        ManifestError: It is not there, or does not say what the service needs.
    """
    try:
        return load_template_info(spec.kind, path)
    except (OSError, ValueError) as error:
        raise ManifestError(
            f"service {spec.name!r} ({spec.label}): cannot read {path}: {error}; the build action of the service "
            "writes it: rebuild the target"
        ) from None
