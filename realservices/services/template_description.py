"""The description of a service's template, read before the service starts."""

from __future__ import annotations

from realservices.contract.errors import ManifestError
from realservices.contract.template_info import load_template_info
from realservices.kinds.registry import find
from realservices.system.os_errors import explain, is_lack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.contract.manifest import ServiceSpec


def read_info(spec: ServiceSpec, path: str, shape: Any = None) -> dict[str, Any]:
    """Read the description of a service's template, or of another archive.

    Args:
        spec: The service.
        path: The file.
        shape: What it looks like; None: like what is known of a template of the service's kind.

    Raises:
        ManifestError: It is not there, or does not say what the service needs.
        InfrastructureError: The machine has not what it takes to read it.
    """
    try:
        return load_template_info(shape or find(spec.kind).template, path)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and is_lack(error):
            raise explain(error, f"service {spec.name!r} ({spec.label}): cannot read {path}") from None
        raise ManifestError(
            f"service {spec.name!r} ({spec.label}): cannot read {path}: {error}; the build action of the service "
            "writes it: rebuild the target"
        ) from None
