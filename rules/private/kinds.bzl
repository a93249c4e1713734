"""The kinds of services that the launcher can run, and what a test can ask of each by `$(field label)`."""

_ENDPOINT = ["url", "host", "port", "password", "database", "socket"]

KINDS = {
    "clickhouse": ["url", "host", "port", "password", "database", "user"],
    "executable": ["url", "websocket_url", "host", "port", "password"],
    "postgres": _ENDPOINT + ["user"],
    "redis": _ENDPOINT,
}

def port_names(service):
    """Returns the names of a service's ports, the main one first.

    Args:
      service: ServiceInfo.
    """
    return service.config.get("ports", [service.kind])

# Every word that, in `$(word label)`, speaks of a service.
FIELDS = sorted({field: None for fields in KINDS.values() for field in fields})
