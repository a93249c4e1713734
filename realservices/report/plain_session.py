"""A session outside of Bazel in the words of the report: its services and tests as those of one test action."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from realservices.report.report_model import FAILED, PASSED, SERVICE_FAILED, SKIPPED, Attempt, Service, Target

SESSION = "pytest"
_BAD = ("failed", "error")


class Launcher(Protocol):
    """What is asked of a `DevLauncher`; this package stands alone."""

    startup_ms: dict[str, float]
    started_ms: dict[str, float]

    @property
    def endpoints(self) -> Mapping[str, Any]:
        """What runs, by name."""

    async def complaints(self, timeout: float = 0.0) -> dict[str, str]:
        """What is wrong with each service, by name."""


async def launched_services(launcher: Launcher) -> list[Service]:
    """Return a launcher's services as they are now. Those of others have not been started by it."""
    complaints = await launcher.complaints()
    return [
        Service(
            name=name,
            kind=each.kind,
            label=each.label,
            needs=list(each.needs),
            state="ready",
            started_ms=round(launcher.started_ms[name], 1) if each.disposable else None,
            ready_ms=round(launcher.startup_ms[name], 1) if each.disposable else None,
            ports=dict(each.ports),
            cause=complaints[name],
        )
        for name, each in launcher.endpoints.items()
    ]


def session_target(services: Sequence[Service], tests: Mapping[str, str], started_epoch_ms: float) -> Target:
    """Return the session as a target."""
    bad = [f"{name}: {result}" for name, result in tests.items() if result in _BAD]
    unhealthy = [f"{each.name}: {each.cause}" for each in services if each.cause]
    status = FAILED if bad else SERVICE_FAILED if unhealthy else PASSED
    if status == PASSED and tests and all(result == SKIPPED for result in tests.values()):
        status = SKIPPED
    why = "\n".join([*bad, *unhealthy])
    ready = [(each.started_ms or 0.0) + each.ready_ms for each in services if each.ready_ms is not None]
    attempt = Attempt(
        run=1, shard=1, attempt=1, status=status, started_epoch_ms=started_epoch_ms, duration_ms=0.0, why=why,
        counts=dict(Counter(tests.values())), services=list(services), services_ready_ms=max(ready, default=None),
    )  # fmt: skip
    return Target(SESSION, SESSION, "", None, status, 0.0, 1, 0, why, [attempt])
