"""What is asked at the control socket: one JSON object per line each way, checked on both sides.

launcher/control_server.py answers; those who ask read that by answers.py, which the launcher does without.
"""

from __future__ import annotations

from realservices.contract.shapes import check, load_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET = "control.sock"
"""What the socket is called in the directory of a session, or of a launcher."""
MOST_LINE_BYTES = 16 << 20
"""A request may list all the files that a service runs on."""

_ONE = {"service": str}
REQUESTS = {
    "wait": {"services?": ([str], None)},
    "status": {},
    "logs": {"service": str, "lines?": range(1 << 31)},
    "start": _ONE,
    "stop": _ONE,
    "kill": _ONE,
    "pause": _ONE,
    "resume": _ONE,
    "checkout": {"service?": (str, None), "test?": (str, None)},
    "release": {"id?": (int, None)},
    "watch": {"states": {str: str}},
    # Checked further where it is known which services there are (manifest_shapes.check_service).
    "add": {"service": dict, "runfiles": str},
}
"""Operations with what else their requests hold."""


def read_request(line: bytes | bytearray) -> dict[str, Any]:
    """Return a request; its operation may be one that is not known here.

    Raises:
        ValueError: It is none, or lacks what its operation needs.
    """
    request: dict[str, Any] = load_json(bytes(line))
    check(request, {"op": str})
    check(request, REQUESTS.get(request["op"], {}))
    return request
