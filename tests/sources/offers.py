"""What waits for a session in the registry: looked at from outside, awaited, ended."""

from __future__ import annotations

import json
import time
from threading import Event
from typing import Any

from realservices.contract.offers import end_offer, look_at, present_offers

_DEADLINE_S = 30.0


def await_offer(*services: str) -> dict[str, Any]:
    """Wait until just these services wait for a session; return what is said of them."""
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        for found in map(look_at, present_offers()):
            description: dict[str, Any] = json.loads(found) if found else {"services": {}}
            states = {name: each["state"] for name, each in description["services"].items()}
            if states == dict.fromkeys(services, "ready"):
                return description
        assert time.monotonic() < deadline, f"{present_offers()} do not offer {services}"
        Event().wait(0.01)


def await_no_offer() -> None:
    """Wait until nothing waits for a session any more."""
    deadline = time.monotonic() + _DEADLINE_S
    while present_offers():
        assert time.monotonic() < deadline, f"{present_offers()} are still offered"
        Event().wait(0.01)


def end_offers() -> None:
    """End all that waits."""
    for name in present_offers():
        end_offer(name)


def pids(description: dict[str, Any]) -> dict[str, int]:
    """Return the processes of services that wait."""
    return {name: each["pid"] for name, each in description["services"].items()}
