"""What the runtime description must look like, and a service's endpoint in it (runtime.py says what the keys mean).

By itself, because the launcher's side reads descriptions, too: of a group that runs.
"""

from __future__ import annotations

from realservices.contract.shapes import PORT_OR_NONE

ENDPOINT = {
    "name?": str,
    "kind": str,
    "package?": str,
    "label": str,
    "host": str,
    "port": PORT_OR_NONE,
    "password": str,
    "url": str,
    "user?": str,
    "database?": (str, int),
    "socket?": str,
    "template_database?": str,
    "ready_databases?": [str],
    "server_version_num?": int,
    "http_port?": PORT_OR_NONE,
    "tcp_port?": PORT_OR_NONE,
    "template_info?": str,
    "databases?": int,
    "log?": str,
    "ports?": {str: PORT_OR_NONE},
    "needs?": [str],
    "websocket_url?": str,
    "health_url?": str,
    "disposable?": bool,
}
RUNTIME = {
    "label": str,
    "control": str,
    "sandbox": str,
    "isolation": str,
    "private": str,
    "services": {str: ENDPOINT},
}
