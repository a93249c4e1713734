"""The description of a template, which its build action writes beside the archive."""

from __future__ import annotations

import json

from realservices.contract.errors import ManifestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.contract.manifest import ServiceSpec


def read_info(spec: ServiceSpec, path: str) -> dict[str, Any]:
    """Read the description of a service's template.

    Raises:
        ManifestError: It is not there, or no JSON.
    """
    try:
        with open(path, encoding="utf-8") as file:
            info: dict[str, Any] = json.load(file)
            return info
    except (OSError, ValueError) as error:
        raise ManifestError(
            f"service {spec.name!r} ({spec.label}): cannot read {path}: {error}; the build action of the service "
            "writes it: rebuild the target"
        ) from None
