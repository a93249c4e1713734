"""The environment contract: which variables a test program sees, the same for every language.

The launcher builds it from the services' endpoints; docs/environment_variables.md tells users. An endpoint is the JSON
object that the runtime description holds for one service (contract/runtime.py).
"""

from __future__ import annotations

from realservices.contract.errors import ManifestError
from realservices.contract.url_forms import written_as
from realservices.kinds.registry import find_known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    # Of a value in the manifest, see `resolved_text`.
    Part = str | dict[str, str]

RUNTIME = "REALSERVICES_RUNTIME"
CONTROL = "REALSERVICES_CONTROL"
SANDBOX = "REALSERVICES_SANDBOX"
MANIFEST = "REALSERVICES_MANIFEST"
DURATIONS = "REALSERVICES_DURATIONS"
# Set by the package's own runners: every test with a level's marker is held to its limit.
LEVELS = "REALSERVICES_LEVELS"
PREMATURE_EXIT = "TEST_PREMATURE_EXIT_FILE"


def variable_prefix(service: str) -> str:
    """Return the prefix of a service's own variables: ``user-db`` gives ``REALSERVICES_USER_DB_``."""
    return "REALSERVICES_" + "".join(c if c.isalnum() else "_" for c in service.upper()) + "_"


def service_environment(endpoints: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the variables that describe ``endpoints``, given by service name in the order of declaration."""
    variables: dict[str, str] = {}
    for name, endpoint in endpoints.items():
        prefix = variable_prefix(name)
        for field in ("url", "host", "port") if endpoint["port"] else ():  # A service may have no port.
            variables[prefix + field.upper()] = str(endpoint[field])
        kind = find_known(endpoint["kind"])
        for variable, field in kind.variables.items() if kind else ():
            variables.setdefault(variable, str(endpoint[field]))
    for name, endpoint in endpoints.items():
        for port, number in endpoint.get("ports", {}).items():
            # Last: a port `admin` of `auth` must not hide the first port of a service `auth_admin`.
            variables.setdefault(f"{variable_prefix(name)}{port.upper()}_PORT", str(number))
    return variables


def mapped_environment(mapping: dict[str, list[Part]], endpoints: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return a target's own variables with references to services resolved.

    Raises:
        ManifestError: A reference names a service or a field that is not there.
    """
    return {name: resolved_text(f"env {name}", parts, endpoints) for name, parts in mapping.items()}


def resolved_text(
    where: str, parts: list[Part], endpoints: dict[str, dict[str, Any]], *, own: str = "", runfiles: str = ""
) -> str:
    """Return a value of the manifest as text.

    Args:
        where: What holds the value, for messages: ``env DATABASE_URL``.
        parts: Literal text, ``{"service": name, "field": field}`` ("port" with ``"port": name`` for a named one, "url"
            with ``"driver": name`` for one of `url_forms.DRIVERS`; the service "" is the one that holds the value), or
            ``{"file": runfiles path}``, which becomes absolute.
        endpoints: All services by name.
        own: Name of the service that holds the value.
        runfiles: The directory that runfiles paths start from.

    Raises:
        ManifestError: A reference names a service, a field or a port that is not there.
    """
    return "".join(_part(where, part, endpoints, own, runfiles) for part in parts)


def _part(where: str, part: Part, endpoints: dict[str, dict[str, Any]], own: str, runfiles: str) -> str:
    if isinstance(part, str):
        return part
    if "file" in part:
        return f"{runfiles}/{part['file']}"
    service, field = part["service"] or own, part["field"]
    if service not in endpoints:
        raise ManifestError(f"{where}: no service {service!r}; the test declares {sorted(endpoints)}")
    endpoint = endpoints[service]
    if "port" in part:
        if part["port"] not in endpoint["ports"]:
            raise ManifestError(
                f"{where}: service {service!r} has no port {part['port']!r}; it has {sorted(endpoint['ports'])}"
            )
        return str(endpoint["ports"][part["port"]])
    if field not in endpoint:
        raise ManifestError(
            f"{where}: service {service!r} of kind {endpoint['kind']!r} has no field {field!r}; "
            f"it has {sorted(endpoint)}"
        )
    return written_as(where, part["driver"], endpoint) if "driver" in part else str(endpoint[field])
