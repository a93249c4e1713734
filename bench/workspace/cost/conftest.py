"""Repeats every test BENCH_TESTS times and writes how long they took, all together, to result.json."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_times: list[tuple[float, float]] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make many tests of one."""
    metafunc.parametrize("number", range(int(os.environ["BENCH_TESTS"])))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Generator[None, Any, Any]:
    """Time each test with its fixtures and reports."""
    begin = time.monotonic()
    result = yield
    _times.append((begin, time.monotonic()))
    return result


def pytest_unconfigure() -> None:
    """Write the sum from the second test on: the first one opens connections that all of them use."""
    measured = _times[1:]
    result = {
        "tests": len(measured),
        "total_ms": (measured[-1][1] - measured[0][0]) * 1000,
        "median_ms": statistics.median(end - begin for begin, end in measured) * 1000,
        "first_ms": (_times[0][1] - _times[0][0]) * 1000,
    }
    Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"], "result.json").write_text(json.dumps(result), encoding="utf-8")
