"""What the control socket answers, as those who ask read it: clients, a second terminal, users of warm services."""

from __future__ import annotations

from realservices.contract.endpoint_shapes import ENDPOINT
from realservices.contract.shapes import LOG_TEXT, check, load_json, shown
from realservices.control.messages import MOST_LINE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
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


def receive_line(connection: socket.socket, received: bytearray) -> bytes:
    """Return the next line, nothing where the connection ends before.

    Args:
        connection: It comes from there.
        received: What came before, and was not yet asked for; changed in place.

    Raises:
        OSError: The connection is broken.
        ValueError: The line does not end.
    """
    looked_at = 0
    while (end := received.find(b"\n", looked_at)) < 0:
        looked_at = len(received)
        if looked_at > MOST_LINE_BYTES:
            raise ValueError(f"an answer of more than {MOST_LINE_BYTES >> 20} MB without the end of a line")
        more = connection.recv(65536)
        if not more:
            return b""
        received += more
    line = bytes(received[:end])
    del received[: end + 1]
    return line
