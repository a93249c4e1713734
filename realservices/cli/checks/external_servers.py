"""Services of others that the environment names (TEST_POSTGRES_HOST and its like): whether they can be reached."""

from __future__ import annotations

import socket
import time

from realservices.cli.checks.finding import Finding, error
from realservices.sources.errors import SettingError
from realservices.sources.external_services import external_endpoint
from realservices.sources.variables import external_kinds, variable_of

_TIMEOUT_S = 1.0


def check_external() -> list[Finding]:
    """Connect to each service that a variable names."""
    kinds = external_kinds()
    return [_service(kind) for kind in kinds] or [Finding("attached", "external services", "no TEST_* variable is set")]


def _service(kind: str) -> Finding:
    identity = f"attached.{kind}", variable_of(kind)
    fails = f"Tests with {kind} outside of Bazel use this service, and fail."
    try:
        endpoint = external_endpoint(kind, kind)
    except SettingError as wrong:
        return error(*identity, str(wrong), meaning=fails, remedy=f"Correct it, or: unset {variable_of(kind)}")
    begin = time.monotonic()
    try:
        socket.create_connection((endpoint.host, endpoint.port), _TIMEOUT_S).close()
    except OSError as refused:
        return error(
            *identity, f"{endpoint.host}:{endpoint.port} cannot be reached: {refused.strerror or refused}",
            meaning=fails,
            remedy=f"Start it and wait until it is healthy (docker compose up --wait), correct {variable_of(kind)} and "
            f"its PORT, or: unset {variable_of(kind)}",
        )  # fmt: skip
    elapsed_ms = (time.monotonic() - begin) * 1000
    return Finding(*identity, f"{endpoint.host}:{endpoint.port} accepts connections, {elapsed_ms:.0f} ms")
