"""What a report takes from build events and from the launcher's services.json, as shapes (contract/shapes.py).

Fields that hold their default are left out of build events, and numbers of 64 bits are text there.
"""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime
from typing import Any

from realservices.contract.shapes import LOG_TEXT, PORT_OR_NONE, Rule, is_number

# Beyond it a time is damage: 30,000 years in milliseconds.
_LONGEST_MS = 1e15
_TEXT = LOG_TEXT


def finite(text: str) -> float | None:
    """Return the number that a text is, None if it is none or out of all bounds: JavaScript's JSON has no NaN."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if -_LONGEST_MS < number < _LONGEST_MS else None


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return finite(value) is not None
    return is_number(value) and -_LONGEST_MS < value < _LONGEST_MS


def _is_duration(value: Any) -> bool:
    number = finite(value.removesuffix("s")) if isinstance(value, str) else None
    return number is not None and abs(number) < _LONGEST_MS / 1000


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).timestamp() is not None
    except (ValueError, OverflowError, OSError):
        return False


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and b64decode(value) is not None
    except ValueError:
        return False


def _is_count(value: Any) -> bool:
    return _is_number(value) and 0 < float(value) < 1e6 and float(value) == int(float(value))


_NUMBER = Rule("a number", _is_number)
_COUNT = Rule("a whole number above 0", _is_count)
_DURATION = Rule("a duration such as 0.877s", _is_duration)
_TIME = Rule("a point of time in ISO 8601", _is_time)
_LABEL = {"label": _TEXT, "configuration?": {"id?": _TEXT}}
_DETAIL = {"message?": _TEXT}
_KNOWN = (Rule("a number", lambda value: not isinstance(value, str) and _is_number(value)), None)

IDENTITIES = {
    "testResult": {**_LABEL, "run?": _COUNT, "shard?": _COUNT, "attempt?": _COUNT},
    "testSummary": _LABEL,
    "targetConfigured": _LABEL,
    "targetCompleted": _LABEL,
    "configuredLabel": _LABEL,
    "unconfiguredLabel": _LABEL,
    "actionCompleted": {"label?": _TEXT},
    "pattern": {"pattern?": [_TEXT]},
}
"""Parts of an event's ``id``, by name."""

PAYLOADS = {
    "aborted": {"reason?": _TEXT, "description?": _TEXT},
    "action": {
        "success?": bool,
        "label?": _TEXT,
        "type?": _TEXT,
        "stderr?": {"uri?": _TEXT},
        "failureDetail?": _DETAIL,
        "exitCode?": _NUMBER,
    },
    "buildMetrics": {"actionSummary?": {"runnerCount?": [{"name?": _TEXT, "count?": _NUMBER}]}},
    "buildToolLogs": {"log?": [{"name?": _TEXT, "contents?": Rule("a text in base 64", _is_base64)}]},
    "completed": {"success?": bool, "testTimeout?": _DURATION, "failureDetail?": _DETAIL},
    "configured": {"targetKind?": _TEXT, "testSize?": _TEXT},
    "finished": {"finishTime?": _TIME, "finishTimeMillis?": _NUMBER, "exitCode?": {"name?": _TEXT}},
    "started": {"command?": _TEXT, "buildToolVersion?": _TEXT, "startTime?": _TIME, "startTimeMillis?": _NUMBER},
    "testResult": {
        "status?": _TEXT,
        "statusDetails?": _TEXT,
        "testActionOutput?": [{"name?": _TEXT, "uri?": _TEXT}],
        "testAttemptStart?": _TIME,
        "testAttemptStartMillisEpoch?": _NUMBER,
        "testAttemptDuration?": _DURATION,
        "testAttemptDurationMillis?": _NUMBER,
        "cachedLocally?": bool,
        "executionInfo?": {
            "strategy?": _TEXT,
            "cachedRemotely?": bool,
            "timingBreakdown?": {"child?": [{"name?": _TEXT, "time?": _DURATION, "timeMillis?": _NUMBER}]},
        },
    },
    "testSummary": {"overallStatus?": _TEXT},
}
"""What an event tells, by name."""

SERVICES = {
    "critical_path": [_TEXT],
    "ready_ms": _KNOWN,
    "services": [
        {
            "name": _TEXT,
            "kind": _TEXT,
            "label": _TEXT,
            "needs": [_TEXT],
            "state": _TEXT,
            "started_ms": _KNOWN,
            "ready_ms": _KNOWN,
            "ports": {str: PORT_OR_NONE},
            "cpu_ms?": _KNOWN,
            "peak_mb?": _KNOWN,
        }
    ],
    "program?": ({"started_ms?": _KNOWN, "ended_ms?": _KNOWN, "cpu_ms?": _KNOWN, "peak_mb?": _KNOWN}, None),
}
"""services.json (realservices/launcher/timeline.py writes it)."""


def report_shape(statuses: frozenset[str]) -> dict[str, Any]:
    """Return what a previous report.json must have to be compared with."""
    target = {"label": _TEXT, "status": statuses, "duration_ms": _NUMBER}
    return {"targets": [target], "build": {"started_epoch_ms": _NUMBER}}
