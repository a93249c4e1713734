"""What Bazel's output says of each test target."""

from __future__ import annotations

import re

_TEST_LINE = re.compile(r"^(//\S+)\s+(\(cached\) )?(PASSED|FAILED|FLAKY|TIMEOUT|NO STATUS)", re.M)


def results(output: str) -> dict[str, tuple[bool, str]]:
    """Return, by target, whether the result was cached, and the result."""
    return {target: (bool(cached), status) for target, cached, status in _TEST_LINE.findall(output)}
