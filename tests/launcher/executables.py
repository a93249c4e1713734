"""Manifest entries of services of the user's own, which run tests/launcher/server.py."""

from __future__ import annotations

from typing import Any

Value = str | dict[str, str]
TCP = {"type": "tcp", "ports": ["http"]}
PORT: Value = {"service": "", "field": "port"}


def http(path: str = "/", *statuses: int, port: str = "http") -> dict[str, Any]:
    """Return the manifest's form of `http_ready`."""
    return {"type": "http", "port": port, "path": path, "status": [[s, s] for s in statuses] or [[200, 399]]}


def port(name: str, service: str = "") -> Value:
    """Return a reference to a named port."""
    return {"service": service, "field": "port", "port": name}


def executable(
    name: str,
    *args: Value,
    ready: dict[str, Any] | None = None,
    ports: tuple[str, ...] = ("http",),
    env: dict[str, list[Value]] | None = None,
    needs: tuple[str, ...] = (),
    **config: Any,
) -> dict[str, Any]:
    """Return the manifest's entry of an executable; each argument is one text or one reference.

    Without arguments it listens on its first port.
    """
    defaults = {
        "program": "server",
        "args": [[arg] for arg in args or ("listen", PORT)],
        "env": env or {},
        "ports": list(ports),
        "url": ["http://", {"service": "", "field": "host"}, ":", PORT] if ports else [],
        "websocket_url": [],
        "ready": ready or {"type": "tcp", "ports": list(ports)},
        "ready_timeout_s": 60,
        "stop_signal": "SIGTERM",
        "grace_s": 5,
    }
    return {
        "name": name,
        "kind": "executable",
        "label": f"//app:{name}",
        "needs": list(needs),
        "config": defaults | config,
    }
