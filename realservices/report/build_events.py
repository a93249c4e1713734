"""Reads Bazel's build event file, the one place that says which results belong to a run.

``bazel-testlogs`` would not do: folders of earlier runs stay there. Source: the Build Event Protocol
(https://bazel.build/remote/bep) in its JSON form (``--build_event_json_file``), one event per line. Fields that hold
their default are left out there; numbers of 64 bits are written as text.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from realservices.contract.shapes import check, load_json
from realservices.report.event_shapes import IDENTITIES, PAYLOADS

_MOST_PROBLEMS = 20

# A target may be tested in more than one configuration.
TargetKey = tuple[str, str]


@dataclass
class BuildEvents:
    """The events that a report needs, as Bazel wrote them.

    Attributes:
        started: How the build began.
        finished: How it ended, or None where the file ends before.
        metrics: What it took.
        tool_logs: What Bazel says at its end, by name: ``critical path`` and the like.
        patterns: The targets that were asked for.
        configured: What analysis says of a target, by label.
        completed: What became of it, by label and configuration.
        results: The test results with their ids, in order.
        summaries: Of test targets.
        failed_actions: Actions that failed.
        aborted: Why targets came to nothing: label, reason, description.
        problems: What is wrong with the file.
    """

    started: dict[str, Any] = field(default_factory=dict)
    finished: dict[str, Any] | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    tool_logs: dict[str, str] = field(default_factory=dict)
    patterns: list[str] = field(default_factory=list)
    configured: dict[str, dict[str, Any]] = field(default_factory=dict)
    completed: dict[TargetKey, dict[str, Any]] = field(default_factory=dict)
    results: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    summaries: dict[TargetKey, dict[str, Any]] = field(default_factory=dict)
    failed_actions: list[dict[str, Any]] = field(default_factory=list)
    aborted: dict[TargetKey, tuple[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_build_events(lines: Iterable[str]) -> BuildEvents:
    """Return what the lines of a build event file say.

    A line that is cut off, as after a killed Bazel, is noted in `BuildEvents.problems`.
    """
    events = BuildEvents()
    damaged = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = load_json(line)
            _check(event)
            _take(events, event["id"], event)
        except ValueError as error:
            damaged += 1
            if damaged <= _MOST_PROBLEMS:
                events.problems.append(f"line {number} is no build event: {error}")
    if damaged > _MOST_PROBLEMS:
        events.problems.append(f"{damaged - _MOST_PROBLEMS} more lines are no build events")
    if events.finished is None:
        events.problems.append("the file ends before the build did: it was interrupted, or goes on")
    return events


def _check(event: Any) -> None:
    """Check what is read of an event.

    Raises:
        ValueError: It is none, or something in it is not what it should be.
    """
    check(event, {"id": dict})
    for where, shapes in ((event["id"], IDENTITIES), (event, PAYLOADS)):
        for name, shape in shapes.items():
            if name in where:
                check(where[name], shape, f"id.{name}" if where is event["id"] else name)


def _take(events: BuildEvents, identity: dict[str, Any], event: dict[str, Any]) -> None:
    if "aborted" in event:
        _take_aborted(events, identity, event["aborted"])
    elif "testResult" in event:
        events.results.append((_part(identity, "testResult"), event["testResult"]))
    elif "testSummary" in event:
        events.summaries[target_key(_part(identity, "testSummary"))] = event["testSummary"]
    elif "configured" in event:
        events.configured[canonical(_part(identity, "targetConfigured")["label"])] = event["configured"]
    elif "completed" in event:
        events.completed[target_key(_part(identity, "targetCompleted"))] = event["completed"]
    elif "action" in event and not event["action"].get("success"):
        events.failed_actions.append({"id": _part(identity, "actionCompleted"), **event["action"]})
    else:
        _take_build(events, identity, event)


def _take_build(events: BuildEvents, identity: dict[str, Any], event: dict[str, Any]) -> None:
    if "started" in event:
        events.started = event["started"]
    elif "expanded" in event and "pattern" in identity:
        events.patterns += identity["pattern"].get("pattern", [])
    elif "finished" in event:
        events.finished = event["finished"]
    elif "buildMetrics" in event:
        events.metrics = event["buildMetrics"]
    elif "buildToolLogs" in event:
        logs = event["buildToolLogs"].get("log", [])
        events.tool_logs = {
            log.get("name", ""): b64decode(log["contents"]).decode(errors="replace")
            for log in logs
            if "contents" in log
        }


def _take_aborted(events: BuildEvents, identity: dict[str, Any], aborted: dict[str, Any]) -> None:
    for kind in ("targetCompleted", "targetConfigured", "configuredLabel", "unconfiguredLabel", "testSummary"):
        if "label" in identity.get(kind, {}):
            key = target_key(identity[kind])
            reason, description = aborted.get("reason", ""), aborted.get("description", "")
            # More than one event may tell of the same target; the one with a description says most.
            if key not in events.aborted or description:
                events.aborted[key] = (reason, description)
            return


def _part(identity: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what an event's id says of the thing that the event tells of."""
    check(identity, {name: dict}, "id")
    part: dict[str, Any] = identity[name]
    return part


def target_key(identity: dict[str, Any]) -> TargetKey:
    """Return label and configuration of an event's id."""
    return canonical(identity["label"]), identity.get("configuration", {}).get("id", "")


def canonical(label: str) -> str:
    """Return a main repository's label as BUILD files write it: ``@@//a:b`` and ``@//a:b`` are ``//a:b``."""
    return label.lstrip("@") if label.startswith(("@//", "@@//")) else label


def duration_ms(values: dict[str, Any], name: str) -> float | None:
    """Return a duration: the newer field is text such as ``0.877s``, the older one whole milliseconds.

    Args:
        values: The event's fields.
        name: The newer field's name; the older one's is this with ``Millis`` at its end.
    """
    if name in values:
        return float(values[name].removesuffix("s")) * 1000
    return float(values[f"{name}Millis"]) if f"{name}Millis" in values else None


def epoch_ms(values: dict[str, Any], name: str, old_name: str) -> float | None:
    """Return a point of time: the newer field is in ISO 8601, the older one in milliseconds."""
    if name in values:
        return datetime.fromisoformat(values[name]).timestamp() * 1000
    return float(values[old_name]) if old_name in values else None
