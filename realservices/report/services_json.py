"""Reads services.json, which the launcher leaves beside the services' logs (realservices/launcher/timeline.py).

It says the same as the JUnit properties, but for why a service failed; it serves where there is no test.xml.
"""

from __future__ import annotations

from typing import Any

from realservices.contract.shapes import check, load_json
from realservices.report.event_shapes import SERVICES
from realservices.report.junit import JUnit
from realservices.report.report_model import Program, Service


def read_services_json(text: str) -> JUnit:
    """Return what it says of the services.

    Raises:
        ValueError: It is not what the launcher writes.
    """
    content = load_json(text)
    check(content, SERVICES)
    path = content["critical_path"]
    services = [_service(entry, path) for entry in content["services"]]
    program = _program(content.get("program") or {})
    return JUnit(services=services, services_ready_ms=content["ready_ms"], critical_path=path, program=program)


def _service(entry: dict[str, Any], path: list[str]) -> Service:
    has_failed = entry["state"] == "failed"
    return Service(
        name=entry["name"],
        kind=entry["kind"],
        label=entry["label"],
        needs=entry["needs"],
        state=entry["state"],
        started_ms=entry["started_ms"],
        ready_ms=entry["ready_ms"],
        ports=entry["ports"],
        cpu_ms=entry.get("cpu_ms"),
        peak_mb=entry.get("peak_mb"),
        is_critical=entry["name"] in path,
        cause="failed; its log says why" if has_failed else "",
    )


def _program(entry: dict[str, Any]) -> Program:
    return Program(entry.get("started_ms"), entry.get("ended_ms"), entry.get("cpu_ms"), entry.get("peak_mb"))
