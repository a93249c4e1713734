"""Measure, in one test action, how soon fresh services serve: those of each target named, and a bare ClickHouse.

Arguments: targets of this package, each with its services and a program that does nothing; ``bare`` is the engine of
the target ``clickhouse`` without any configuration. They take turns, so that whatever else the machine does hits all of
them. Writes samples in milliseconds to result.json among the test's undeclared outputs. Environment: BENCH_ROUNDS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_RUNFILES = Path(os.environ["TEST_SRCDIR"])
_HERE = _RUNFILES / os.environ["TEST_WORKSPACE"] / "fresh"
_BARE = "bare"
# Files by which a test program reports to Bazel: they are this driver's, not those of what it runs.
_REPORTS = ("TEST_INFRASTRUCTURE_FAILURE_FILE", "TEST_PREMATURE_EXIT_FILE", "XML_OUTPUT_FILE")
_ENV = {name: value for name, value in os.environ.items() if name not in _REPORTS}


def main() -> None:
    """Take all samples."""
    ways = sys.argv[1:]
    samples: dict[str, list[float]] = {}
    _round(ways)  # Warms caches.
    for number in range(int(os.environ["BENCH_ROUNDS"])):
        for name, value in _round(ways if number % 2 == 0 else ways[::-1]).items():
            samples.setdefault(name, []).append(value)
    result = {"samples": samples, "warnings": _warnings()}
    Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"], "result.json").write_text(json.dumps(result), encoding="utf-8")


def _round(ways: Sequence[str]) -> dict[str, float]:
    """Take one sample of each."""
    taken: dict[str, float] = {}
    for name in ways:
        if name == _BARE:
            taken["bare_ms"] = float(_run([sys.executable, str(_HERE / "bare_clickhouse.py"), _library()], _ENV))
            continue
        timeline = _timeline(name)
        taken[f"{name}_all_ms"] = timeline["ready_ms"]
        for service in timeline["services"]:
            taken[f"{name}_{service['kind']}_started_ms"] = service["started_ms"]
            taken[f"{name}_{service['kind']}_ready_ms"] = service["ready_ms"]
    return taken


def _library() -> str:
    manifest = json.loads((_HERE / "clickhouse.realservices.json").read_text(encoding="utf-8"))
    return str(_RUNFILES / manifest["services"][0]["config"]["server"])


def _timeline(target: str) -> dict[str, Any]:
    """Run a target as Bazel would; return what its launcher tells of its services, by its own clock."""
    with tempfile.TemporaryDirectory() as outputs:
        own = {
            "REALSERVICES_LOGS": "always",
            "TEST_UNDECLARED_OUTPUTS_DIR": outputs,
            "TEST_WARNINGS_OUTPUT_FILE": str(_warnings_path()),
        }
        _run([str(_HERE / target)], _ENV | own)
        timeline: dict[str, Any] = json.loads(Path(outputs, "services.json").read_text(encoding="utf-8"))
    return timeline


def _run(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nexited with code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _warnings() -> list[str]:
    """Return what the launcher warned of, such as a slower way to run than the one to be measured."""
    path = _warnings_path()
    return sorted(set(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []


def _warnings_path() -> Path:
    return Path(os.environ["TEST_TMPDIR"], "warnings")


if __name__ == "__main__":
    main()
