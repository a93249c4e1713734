"""Reads what Bazel itself says of the tests of a build: its build event file and its profile.

Sources: the Build Event Protocol (https://bazel.build/remote/bep) in its JSON form, one event per line; the JSON trace
profile (https://bazel.build/advanced/performance/json-trace-profile), times in microseconds.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from bench.errors import BenchError

_TEST_ACTION = "Testing "


@dataclass(frozen=True)
class TestAttempt:
    """One run of a test.

    Args:
        label: The target.
        run: Number of the run, from 1.
        status: ``PASSED`` and the like.
        process_ms: Wall time of the test's process, without what Bazel does before and after it.
        directory: Where its log and its undeclared outputs are.
        is_cached: Whether Bazel took an old result.
        strategy: How it ran: ``linux-sandbox`` and the like.
    """

    __test__ = False  # The name is the domain's; pytest must not collect it.

    label: str
    run: int
    status: str
    process_ms: float
    directory: Path
    is_cached: bool
    strategy: str


def read_attempts(lines: Iterable[str]) -> list[TestAttempt]:
    """Return the attempts in a build event file, in the order in which they ended."""
    events = (json.loads(line) for line in lines if line.strip())
    return [_attempt(event) for event in events if "testResult" in event]


def _attempt(event: dict[str, Any]) -> TestAttempt:
    identity, result = event["id"]["testResult"], event["testResult"]
    outputs = {output["name"]: output.get("uri", "") for output in result.get("testActionOutput", [])}
    log = urlparse(outputs.get("test.log", ""))
    if log.scheme != "file":
        raise BenchError(f"{identity['label']}: expected a local test.log in the build events, found {outputs}")
    return TestAttempt(
        label=_canonical(identity["label"]),
        run=int(identity.get("run", 1)),
        status=result["status"],
        process_ms=_duration_ms(result),
        directory=Path(unquote(log.path)).parent,
        is_cached=bool(result.get("cachedLocally") or result.get("executionInfo", {}).get("cachedRemotely")),
        strategy=result.get("executionInfo", {}).get("strategy", ""),
    )


def _duration_ms(result: dict[str, Any]) -> float:
    # "0.877s" in newer versions; the older field, in whole milliseconds, is written as text.
    if "testAttemptDuration" in result:
        return float(result["testAttemptDuration"].removesuffix("s")) * 1000
    return float(result["testAttemptDurationMillis"])


def read_action_ms(profile: Path) -> dict[str, list[float]]:
    """Return wall times of whole test actions by label: sandbox, process, outputs and report together."""
    with gzip.open(profile, "rt", encoding="utf-8") as file:
        events = json.load(file)["traceEvents"]
    found: dict[str, list[float]] = {}
    for event in events:
        name = event.get("name", "")
        if event.get("cat") == "action processing" and name.startswith(_TEST_ACTION):
            # "Testing //a:b (run 2 of 3)" where a test runs more than once.
            label = _canonical(name.removeprefix(_TEST_ACTION).partition(" ")[0])
            found.setdefault(label, []).append(event["dur"] / 1000)
    return found


def _canonical(label: str) -> str:
    """Return a main repository's label as BUILD files write it: ``@@//a:b`` and ``@//a:b`` are ``//a:b``."""
    return label.lstrip("@") if label.startswith(("@//", "@@//")) else label
