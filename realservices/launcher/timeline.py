"""What the services of a test action took: when each started and served, and which chain of them all others waited for.

Told as text beside a failure, as properties in the JUnit report, and as services.json where logs are kept:
``{"test": label, "ready_ms": until all were ready, "critical_path": [names], "program": {"started_ms", "ended_ms",
"cpu_ms", "peak_mb"}, "services": [{"name", "kind", "label", "needs", "state", "started_ms", "ready_ms",
"ports", "cpu_ms", "peak_mb"}…]}``. ``started_ms`` and ``ended_ms`` count from the launcher's start, a service's
``ready_ms`` from its own. ``peak_mb`` is the most memory
that one of its processes held, the launcher's copy at its beginning included. There are no passwords and no URLs in it.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.launcher.supervised_service import Supervised
    from realservices.launcher.tested_program import Program


class Timeline:
    """The times of one action's services.

    Attributes:
        label: The test target.
        program: The test program's entry, as in services.json.
        services: One entry each, as there.
        critical_path: Names of the services that determined how long it took until all were ready, first one first.
        ready_ms: Until all were ready, or None if that never was.
    """

    def __init__(self, label: str, begin: float, services: list[Supervised], program: Program) -> None:
        self.label = label
        self._begin = begin
        self.program = {
            "started_ms": _ms(program.first_start, begin),
            "ended_ms": _ms(program.last_end, begin),
            **_usage(program.cpu_s, program.peak_bytes),
        }
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
            "program": self.program,
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

    @property
    def chain(self) -> dict[str, str]:
        """What the JUnit suite of the services says of all of them, and of the program."""
        program = {f"program_{key}": _text(value) for key, value in self.program.items()}
        return {"ready_ms": _text(self.ready_ms), "critical_path": ",".join(self.critical_path), **program}

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
            "state": entry["state"],
            "ports": ",".join(f"{port}={number}" for port, number in entry["ports"].items()),
            "cpu_ms": _text(entry["cpu_ms"]),
            "peak_mb": _text(entry["peak_mb"]),
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
            **_usage(service.cpu_s, service.peak_bytes),
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


def _usage(cpu_s: float, peak_bytes: int) -> dict[str, float | None]:
    """Return nothing known for what has not been reaped: every process that ran held memory."""
    known = peak_bytes > 0
    return {
        "cpu_ms": round(cpu_s * 1000, 1) if known else None,
        "peak_mb": round(peak_bytes / 1_000_000, 1) if known else None,
    }


def _text(number: float | None) -> str:
    return "" if number is None else str(number)
