"""The kinds of services that the launcher can run, and what a test can ask of each by `$(field label)`."""

_ENDPOINT = ["url", "host", "port", "password", "database", "socket"]

KINDS = {
    "postgres": _ENDPOINT + ["user"],
    "redis": _ENDPOINT,
}

# Every word that, in `$(word label)`, speaks of a service.
FIELDS = sorted({field: None for fields in KINDS.values() for field in fields})
