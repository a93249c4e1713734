"""Stands for Bazel: answers `--version`, `build` and `test`, with durations that FAKE_BAZEL_MS gives by target.

What a test would write to its result.json, FAKE_BAZEL_OUTPUTS gives by target.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> int:
    """Do what the command asks for; a target without a duration fails."""
    if arguments == ["--version"]:
        print("bazel 0.0.0-fake")
        return 0
    if arguments[0] == "build":
        return 0
    durations_ms: dict[str, float] = json.loads(os.environ["FAKE_BAZEL_MS"])
    targets = arguments[arguments.index("--") + 1 :]
    unknown = [target for target in targets if target not in durations_ms]
    if unknown:
        print(f"FAIL: {unknown[0]}", file=sys.stderr)
        return 3
    _write_outputs(targets)
    events = [_result(target, durations_ms[target]) for target in targets]
    Path("events.json").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    actions = [
        {"cat": "action processing", "name": f"Testing {target}", "dur": durations_ms[target] * 1000}
        for target in targets
    ]
    with gzip.open("profile.gz", "wt", encoding="utf-8") as file:
        json.dump({"traceEvents": actions}, file)
    return 0


def _write_outputs(targets: list[str]) -> None:
    outputs: dict[str, Any] = json.loads(os.environ.get("FAKE_BAZEL_OUTPUTS", "{}"))
    for target in outputs.keys() & targets:
        result = _log(target).parent / "test.outputs/result.json"
        result.parent.mkdir(parents=True, exist_ok=True)
        result.write_text(json.dumps(outputs[target]), encoding="utf-8")


def _log(target: str) -> Path:
    return Path("logs", target.strip("/").replace(":", "/"), "test.log").absolute()


def _result(target: str, duration_ms: float) -> dict[str, Any]:
    return {
        "id": {"testResult": {"label": target, "run": 1}},
        "testResult": {
            "testActionOutput": [{"name": "test.log", "uri": _log(target).as_uri()}],
            "testAttemptDuration": f"{duration_ms / 2000}s",
            "status": "PASSED",
            "executionInfo": {"strategy": "fake"},
        },
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
