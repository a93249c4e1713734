"""What waits for a session in the registry: looked at from outside, awaited, ended."""

from __future__ import annotations

import json
import time
from threading import Event
from typing import Any

from realservices.system.warm_pool import end_session, look_at, waiting_sessions

_DEADLINE_S = 30.0


def await_waiting(*services: str) -> dict[str, Any]:
    """Wait until just these services wait for a session; return what is said of them."""
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        for found in map(look_at, waiting_sessions()):
            description: dict[str, Any] = json.loads(found) if found else {"services": {}}
            states = {name: each["state"] for name, each in description["services"].items()}
            if states == dict.fromkeys(services, "ready"):
                return description
        assert time.monotonic() < deadline, f"{waiting_sessions()} do not have {services} wait"
        Event().wait(0.01)


def await_nothing_waits() -> None:
    """Wait until nothing waits for a session any more."""
    deadline = time.monotonic() + _DEADLINE_S
    while waiting_sessions():
        assert time.monotonic() < deadline, f"{waiting_sessions()} still wait"
        Event().wait(0.01)


def end_waiting() -> None:
    """End all that waits."""
    for name in waiting_sessions():
        end_session(name)


def pids(description: dict[str, Any]) -> dict[str, int]:
    """Return the processes of services that wait."""
    return {name: each["pid"] for name, each in description["services"].items()}
