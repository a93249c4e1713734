"""What waits for a session in the registry: looked at from outside, awaited, ended."""

from __future__ import annotations

import json
import time
from threading import Event
from typing import Any

from realservices.contract.offers import end_offer, look_at, offered_keys

_DEADLINE_S = 30.0


def await_offer(*services: str) -> dict[str, Any]:
    """Wait until just these services wait for a session; return what is said of them."""
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        for found in map(look_at, offered_keys()):
            description: dict[str, Any] = json.loads(found) if found else {"services": {}}
            states = {name: each["state"] for name, each in description["services"].items()}
            if states == dict.fromkeys(services, "ready"):
                return description
        assert time.monotonic() < deadline, f"{offered_keys()} do not offer {services}"
        Event().wait(0.01)


def await_no_offer() -> None:
    """Wait until nothing waits for a session any more."""
    deadline = time.monotonic() + _DEADLINE_S
    while offered_keys():
        assert time.monotonic() < deadline, f"{offered_keys()} are still offered"
        Event().wait(0.01)


def end_offers() -> None:
    """End all that waits."""
    for key in offered_keys():
        end_offer(key)


def pids(description: dict[str, Any]) -> dict[str, int]:
    """Return the processes of services that wait."""
    return {name: each["pid"] for name, each in description["services"].items()}
