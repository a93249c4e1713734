"""What the control socket answers, as those who ask read it: clients, a second terminal, users of warm services."""

from __future__ import annotations

from realservices.contract.endpoint_shapes import ENDPOINT
from realservices.contract.shapes import LOG_TEXT, check, load_json, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_COUNT = (int, None)
_STATUSES = {
    "services": {
        str: {
            "state": str,
            "pid": _COUNT,
            "ready_ms": (float, None),
            "port": int,
            "error?": LOG_TEXT,
            "cause?": LOG_TEXT,
            "kind?": str,
            "label?": str,
            "needs?": [str],
            "host?": str,
            "ports?": {str: int},
            "health_url?": str,
            "started_at?": (float, None),
        }
    }
}
_ANSWERS = {
    "status": _STATUSES,
    "watch": _STATUSES,
    "checkout": {"id": int, "service": str, "kind": str, "url": str, "host": str, "port": int},
    "logs": {"lines": [LOG_TEXT]},
    "add": {"endpoint": ENDPOINT},
}


def read_answer(line: bytes, operation: str) -> dict[str, Any]:
    """Return the answer to a request: ``ok``, with what the operation asks for, or not ``ok`` and ``error``.

    Raises:
        ValueError: It is none.
    """
    try:
        answer: dict[str, Any] = load_json(line)
        check(answer, {"ok": bool})
        check(answer, _ANSWERS.get(operation, {}) if answer["ok"] else {"error": LOG_TEXT})
    except ValueError as error:
        raise ValueError(f"{shown(line[:200])} is no answer to {operation!r}: {error}") from None
    return answer
