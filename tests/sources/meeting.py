"""Where two workers of pytest-xdist wait for each other."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Event

_DEADLINE_S = 20.0


def meet(worker: str, place: str) -> None:
    """Wait until both workers are at a place."""
    directory = Path(os.environ["TEST_TMPDIR"])
    (directory / f"{place}.{worker}").touch()
    deadline = time.monotonic() + _DEADLINE_S
    while len([*directory.glob(f"{place}.gw*")]) < 2:
        assert time.monotonic() < deadline, f"the other worker does not come to {place!r}"
        Event().wait(0.005)
