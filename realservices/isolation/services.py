"""Where the services of this test process come from, and which of them a test means.

`find_services` is the one place that knows the sources: today the launcher. Everything after it sees a `Runtime`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from realservices.contract import environment
from realservices.contract.runtime import load_runtime
from realservices.isolation.errors import MissingServiceError

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint, Runtime

REQUIRE = "REALSERVICES_REQUIRE"
_READY_MADE = "@rules_realservices//services:{kind}"


def find_services() -> Runtime | None:
    """Return the services that this process was given, or None.

    Raises:
        ManifestError: There is a description of services that cannot be read.
    """
    path = os.environ.get(environment.RUNTIME)
    return load_runtime(path) if path else None


def services_are_required() -> bool:
    """Say whether a test without its service must fail: under Bazel, or where REALSERVICES_REQUIRE says so."""
    if os.environ.get(REQUIRE, "") not in ("", "0"):
        return True
    return "TEST_SRCDIR" in os.environ or "BAZEL_TEST" in os.environ


def choose_service(runtime: Runtime | None, kind: str, name: str | None = None) -> Endpoint:
    """Return the service that a test means: the named one, else the first one of its kind.

    Raises:
        MissingServiceError: There is no such service.
    """
    present = runtime.of_kind(kind) if runtime else []
    if name is not None:
        present = [endpoint for endpoint in present if endpoint.name == name]
    if present:
        return present[0]
    raise MissingServiceError(kind, _explain_missing(runtime, kind, name))


def _explain_missing(runtime: Runtime | None, kind: str, name: str | None) -> str:
    entry = f'services = ["{_READY_MADE.format(kind=kind)}"]'
    if runtime is None:
        target = os.environ.get("TEST_TARGET", "")
        where = f"target {target}" if target else "the test's real_service_test target"
        return (
            f"this test needs a {kind} service, and no launcher has started one: add {entry} "
            f"(or your own {kind}_service) to {where}"
        )
    declared = [f"{endpoint.name} ({endpoint.kind}, {endpoint.label})" for endpoint in runtime.services.values()]
    have = ", ".join(declared) or "none"
    if name is not None:
        return f"this test asks for the {kind} service {name!r}; {runtime.label} declares: {have}"
    return f"this test needs a {kind} service; {runtime.label} declares: {have}. Add {entry} or your own {kind}_service"
