"""One test action: its event and its files become an `Attempt`, which says what it is and why."""

from __future__ import annotations

from typing import Any

from realservices.report.build_events import duration_ms, epoch_ms
from realservices.report.junit import JUnit, read_junit
from realservices.report.outputs import Outputs
from realservices.report.report_model import (
    FAILED,
    MACHINE_FAILED,
    NOT_BUILT,
    NOT_FINISHED,
    PASSED,
    SERVICE_FAILED,
    TIMED_OUT,
    Attempt,
    Log,
)
from realservices.report.services_json import read_services_json

_BAZEL_STATUS = {
    "PASSED": PASSED,
    "FLAKY": PASSED,
    "FAILED": FAILED,
    "TIMEOUT": TIMED_OUT,
    "REMOTE_FAILURE": MACHINE_FAILED,
    "FAILED_TO_BUILD": NOT_BUILT,
}
# Realservices' own launcher writes this file, and so can any other test: see the "Test encyclopedia" of Bazel.
_INFRASTRUCTURE = "test.infrastructure_failure"
_MOST_CASES_TOLD = 3
_MOST_WORDS = 1_500


def read_attempt(identity: dict[str, Any], result: dict[str, Any], label: str, reads_files: bool) -> Attempt:
    """Return what one ``testResult`` event says, together with the files that it names.

    Args:
        identity: The event's id.
        result: The event.
        label: The target.
        reads_files: False for a previous run, whose files later runs have overwritten.
    """
    outputs = Outputs(result.get("testActionOutput", []) if reads_files else [])
    junit, logs = _read_files(outputs, label)
    infrastructure = outputs.text(_INFRASTRUCTURE).strip()
    status = _status(result, junit, infrastructure)
    if status != PASSED and (log := outputs.tail("test.log")):
        logs.insert(0, log)
    return Attempt(
        run=int(float(identity.get("run", 1))),
        shard=int(float(identity.get("shard", 1))),
        attempt=int(float(identity.get("attempt", 1))),
        status=status,
        started_epoch_ms=epoch_ms(result, "testAttemptStart", "testAttemptStartMillisEpoch") or 0.0,
        duration_ms=duration_ms(result, "testAttemptDuration") or 0.0,
        cache=_cache(result),
        strategy=result.get("executionInfo", {}).get("strategy", ""),
        timing=_timing(result),
        why=_why(status, result, junit, infrastructure),
        counts=junit.counts,
        cases=junit.cases,
        services=junit.services,
        services_ready_ms=junit.services_ready_ms,
        critical_path=junit.critical_path,
        program=junit.program,
        logs=[] if status == PASSED else logs,
        notes=outputs.notes,
    )


def _read_files(outputs: Outputs, label: str) -> tuple[JUnit, list[Log]]:
    """Read test.xml and what the test left; services.json only counts where test.xml says nothing of services."""
    junit = read_junit(outputs.text("test.xml"), label)
    if junit.damage:
        outputs.notes.append(f"test.xml: {junit.damage}")
    logs = []
    for log, is_services in outputs.undeclared():
        if not is_services:
            logs.append(log)
            continue
        if junit.services:
            continue
        try:
            told = read_services_json(log.text)
        except ValueError as error:
            outputs.notes.append(f"services.json: {error}")
        else:
            junit = JUnit(
                junit.counts, junit.cases, told.services, told.services_ready_ms, told.critical_path, told.program
            )
    return junit, logs


def _status(result: dict[str, Any], junit: JUnit, infrastructure: str) -> str:
    status = _BAZEL_STATUS.get(result.get("status", ""), NOT_FINISHED)
    if status != FAILED:
        return status
    if infrastructure:
        return MACHINE_FAILED
    # A program's own assertions fail, too, when its service is gone: the service is the cause.
    return SERVICE_FAILED if any(service.cause for service in junit.services) else FAILED


def _why(status: str, result: dict[str, Any], junit: JUnit, infrastructure: str) -> str:
    if status == PASSED:
        return ""
    if status == SERVICE_FAILED:
        lines = [f"service {s.name!r} ({s.label}) {s.cause}" for s in junit.services if s.cause]
        waiting = [service.name for service in junit.services if service.state == "waiting"]
        return "\n".join(lines + ([f"not started because of it: {', '.join(waiting)}"] if waiting else []))
    if status == MACHINE_FAILED:
        return infrastructure.replace("\n", ": ", 1) or result.get("statusDetails", "") or "remote execution failed"
    failed = [case for case in junit.cases if case.status in ("failed", "error")]
    told = [f"{case.name}: {case.message}" for case in failed[:_MOST_CASES_TOLD]]
    more = [f"and {len(failed) - _MOST_CASES_TOLD} more"] if len(failed) > _MOST_CASES_TOLD else []
    lines = [*filter(None, [junit.verdict if status == TIMED_OUT or not failed else ""]), *told, *more]
    return "\n".join(lines)[:_MOST_WORDS] or result.get("statusDetails", "")


def _cache(result: dict[str, Any]) -> str:
    """Return where the result came from; Bazel says "disk cache hit" of a disk cache, which counts as remote."""
    execution = result.get("executionInfo", {})
    if result.get("cachedLocally"):
        return "local"
    if execution.get("cachedRemotely"):
        return "disk" if execution.get("strategy", "").startswith("disk") else "remote"
    return ""


def _timing(result: dict[str, Any]) -> dict[str, float]:
    children = result.get("executionInfo", {}).get("timingBreakdown", {}).get("child", [])
    times = {child.get("name", ""): duration_ms(child, "time") or 0.0 for child in children}
    return {name: round(time_ms, 1) for name, time_ms in times.items() if time_ms}
