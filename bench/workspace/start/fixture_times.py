"""A pytest plugin that adds up how long fixtures take to be set up, and writes it to BENCH_FIXTURE_TIMES (ms)."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_spent: list[float] = []
_depth = 0


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Generator[None, Any, Any]:
    """Time each fixture with those that it asks for; they must not count twice."""
    global _depth
    _depth += 1
    begin = time.monotonic()
    try:
        return (yield)
    finally:
        _depth -= 1
        if _depth == 0:
            _spent.append((time.monotonic() - begin) * 1000)


def pytest_unconfigure() -> None:
    """Write the sum."""
    Path(os.environ["BENCH_FIXTURE_TIMES"]).write_text(str(sum(_spent)), encoding="ascii")
