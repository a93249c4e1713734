"""The environment contract: which variables a test program sees, the same for every language.

The launcher builds it from the services' endpoints; docs/environment.md tells users. An endpoint is the JSON object
that the runtime description holds for one service (contract/runtime.py).
"""

from __future__ import annotations

from realservices.contract.errors import ManifestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RUNTIME = "REALSERVICES_RUNTIME"
SANDBOX = "REALSERVICES_SANDBOX"
MANIFEST = "REALSERVICES_MANIFEST"
DURATIONS = "REALSERVICES_DURATIONS"
PREMATURE_EXIT = "TEST_PREMATURE_EXIT_FILE"

# The names by which the first service of a kind is known, and the endpoint's field that each one shows.
KIND_VARIABLES = {
    "postgres": {
        "TEST_POSTGRES_HOST": "host",
        "TEST_POSTGRES_PORT": "port",
        "TEST_POSTGRES_USER": "user",
        "TEST_POSTGRES_PASSWORD": "password",
        "TEST_POSTGRES_DB": "database",
        "DATABASE_URL": "url",
    },
    "redis": {
        "TEST_REDIS_HOST": "host",
        "TEST_REDIS_PORT": "port",
        "TEST_REDIS_PASSWORD": "password",
        "REDIS_URL": "url",
    },
}


def variable_prefix(service: str) -> str:
    """Return the prefix of a service's own variables: ``user-db`` gives ``REALSERVICES_USER_DB_``."""
    return "REALSERVICES_" + "".join(c if c.isalnum() else "_" for c in service.upper()) + "_"


def service_environment(endpoints: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the variables that describe ``endpoints``, given by service name in the order of declaration."""
    variables: dict[str, str] = {}
    for name, endpoint in endpoints.items():
        prefix = variable_prefix(name)
        for field in ("url", "host", "port"):
            variables[prefix + field.upper()] = str(endpoint[field])
        for variable, field in KIND_VARIABLES.get(endpoint["kind"], {}).items():
            variables.setdefault(variable, str(endpoint[field]))
    return variables


def mapped_environment(
    mapping: dict[str, list[str | dict[str, str]]], endpoints: dict[str, dict[str, Any]]
) -> dict[str, str]:
    """Return a target's own variables with references to services resolved.

    Raises:
        ManifestError: A reference names a service or a field that is not there.
    """
    return {name: "".join(_part(name, part, endpoints) for part in parts) for name, parts in mapping.items()}


def _part(variable: str, part: str | dict[str, str], endpoints: dict[str, dict[str, Any]]) -> str:
    if isinstance(part, str):
        return part
    service, field = part["service"], part["field"]
    if service not in endpoints:
        raise ManifestError(f"env {variable}: no service {service!r}; the test declares {sorted(endpoints)}")
    endpoint = endpoints[service]
    if field not in endpoint:
        raise ManifestError(
            f"env {variable}: service {service!r} of kind {endpoint['kind']!r} has no field {field!r}; "
            f"it has {sorted(endpoint)}"
        )
    return str(endpoint[field])
