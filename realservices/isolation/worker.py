"""Which of the processes that share the services this one is: pytest-xdist runs several in one target."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Worker:
    """One test process among those that share the services.

    Attributes:
        name: ``gw0`` and so on under pytest-xdist, else ``main``.
        index: From 0. A worker that replaces a crashed one gets an index of ``count`` or above.
        count: How many run at once.
    """

    name: str = "main"
    index: int = 0
    count: int = 1


def this_worker() -> Worker:
    """Return this process's place, as pytest-xdist tells it in the environment."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not name:
        return Worker()
    digits = name.removeprefix("gw")
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return Worker(name, int(digits) if digits.isdigit() else 0, max(1, count))
