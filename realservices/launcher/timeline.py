"""What the services of a test action took: when each started and served, and which chain of them all others waited for.

Told as text beside a failure, as properties in the JUnit report, and as services.json where logs are kept:
``{"test": label, "ready_ms": until all were ready, "critical_path": [names], "services": [{"name", "kind", "label",
"needs", "state", "started_ms", "ready_ms", "ports"}…]}``. ``started_ms`` counts from the launcher's start, a service's
``ready_ms`` from its own. There are no passwords and no URLs in it.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.launcher.supervised import Supervised


class Timeline:
    """The times of one action's services.

    Attributes:
        label: The test target.
        services: One entry each, as in services.json.
        critical_path: Names of the services that determined how long it took until all were ready, first one first.
        ready_ms: Until all were ready, or None if that never was.
    """

    def __init__(self, label: str, begin: float, services: list[Supervised]) -> None:
        self.label = label
        self._begin = begin
        self.services = [self._entry(service) for service in services]
        self.critical_path = _critical_path(services)
        ends = [service.first_ready for service in services]
        self.ready_ms = _ms(max(filter(None, ends), default=None), begin) if all(ends) else None

    def as_json(self) -> str:
        """Return the content of services.json."""
        content = {
            "test": self.label,
            "ready_ms": self.ready_ms,
            "critical_path": self.critical_path,
            "services": self.services,
        }
        return json.dumps(content, indent=1) + "\n"

    def as_text(self) -> str:
        """Return a few lines for people, or "" where there are no services."""
        if not self.services:
            return ""
        when = f"ready after {self.ready_ms:.0f} ms" if self.ready_ms is not None else "not all ready"
        chain = f"; longest chain: {' -> '.join(self.critical_path)}" if self.critical_path else ""
        width = max(len(entry["name"]) for entry in self.services)
        lines = [f"realservices: services {when}{chain}\n"]
        for entry in self.services:
            needs = f", needs {', '.join(entry['needs'])}" if entry["needs"] else ""
            lines.append(f"  {entry['name']:<{width}}  {_words(entry)}{needs}\n")
        return "".join(lines)

    def properties(self, name: str) -> dict[str, str]:
        """Return what the JUnit case of a service says of it."""
        (entry,) = [entry for entry in self.services if entry["name"] == name]
        return {
            "kind": entry["kind"],
            "label": entry["label"],
            "needs": ",".join(entry["needs"]),
            "started_ms": _text(entry["started_ms"]),
            "ready_ms": _text(entry["ready_ms"]),
            "on_critical_path": str(name in self.critical_path).lower(),
        }

    def _entry(self, service: Supervised) -> dict[str, Any]:
        spec = service.service.spec
        return {
            "name": spec.name,
            "kind": spec.kind,
            "label": spec.label,
            "needs": list(spec.needs),
            "state": service.final_state or service.state,
            "started_ms": _ms(service.first_start, self._begin),
            "ready_ms": _ms(service.first_ready, service.first_start),
            "ports": service.service.endpoint["ports"],
        }


def _critical_path(services: list[Supervised]) -> list[str]:
    """Go back from the service that was ready last, each time to the one that it had to wait for longest."""
    by_name = {service.name: service for service in services}
    path: list[str] = []
    candidates = list(by_name.values())
    while ready := [service for service in candidates if service.first_ready is not None]:
        last = max(ready, key=lambda service: service.first_ready or 0.0)
        path.insert(0, last.name)
        candidates = [by_name[name] for name in last.service.spec.needs]
    return path


def _words(entry: dict[str, Any]) -> str:
    if entry["started_ms"] is None:
        return "never started"
    started = f"started at {entry['started_ms']:.0f} ms, "
    return started + (f"ready after {entry['ready_ms']:.0f} ms" if entry["ready_ms"] is not None else "never ready")


def _ms(end: float | None, begin: float | None) -> float | None:
    return None if end is None or begin is None else round((end - begin) * 1000, 1)


def _text(number: float | None) -> str:
    return "" if number is None else str(number)
