"""What both sides know of a server of the user's own."""

from __future__ import annotations

from realservices.contract.manifest_shapes import HTTP_PATH, PART, SIGNAL, listed
from realservices.contract.shapes import NAME, NOT_NEGATIVE, POSITIVE, VARIABLE, Rule, ShapeError, check, shown
from realservices.kinds.kind import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_READY = {
    "http": {"port": str, "path": HTTP_PATH, "status": [Rule("a pair of statuses", lambda value: _is_pair(value))]},
    "tcp": {"ports": [str]},
    "log": {"pattern": str},
    "exec": {"program": str, "args": [[PART]]},
}


class _Executable(Kind):
    name = "executable"
    package = __package__
    title = "a server of the project's own"
    server = "server.service:Executable"
    fields = ("url", "websocket_url", "host", "port", "password")
    config = {
        "program": str,
        "args": [[PART]],
        "env": {VARIABLE: [PART]},
        "password?": bool,
        "ports": [NAME],
        "url": [PART],
        "websocket_url": [PART],
        "ready": {"type": frozenset({"http", "tcp", "log", "exec"})},
        "ready_timeout_s": POSITIVE,
        "stop_signal": SIGNAL,
        "grace_s": NOT_NEGATIVE,
        "cwd?": str,
    }

    def check_config(self, config: Any, key: str) -> None:
        super().check_config(config, key)
        ready = config["ready"]
        check(ready, _READY[ready["type"]], f"{key}.ready")
        for name in [ready["port"]] if ready["type"] == "http" else ready.get("ports", ()):
            if name not in config["ports"]:
                ports = listed(config["ports"])
                raise ShapeError(f"{key}.ready", shown(name), f"one of its ports ({ports})")


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value)


KIND = _Executable()
