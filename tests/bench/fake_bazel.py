"""Stands for Bazel: answers `--version`, `build` and `test`, with durations that FAKE_BAZEL_MS gives by target.

A duration for "TARGET warm" holds where the test's environment wants warm services. What a test would write to its
result.json, FAKE_BAZEL_OUTPUTS gives by target. What `run` runs offers warm services, and says in FAKE_BAZEL_LAST
that it has ended.
"""

from __future__ import annotations

import gzip
import json
import os
import socket
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
    if arguments[0] == "run":
        return _keep_warm(arguments)
    durations_ms: dict[str, float] = json.loads(os.environ["FAKE_BAZEL_MS"])
    targets = arguments[arguments.index("--") + 1 :]
    is_warm = "--test_env=REALSERVICES_WARM=1" in arguments
    if is_warm:
        durations_ms |= {name.removesuffix(" warm"): value for name, value in durations_ms.items() if " " in name}
    unknown = [target for target in targets if target not in durations_ms]
    if unknown:
        print(f"FAIL: {unknown[0]}", file=sys.stderr)
        return 3
    _write_outputs(targets)
    if "--test_env=REALSERVICES_LOGS=always" in arguments:
        _write_services(targets, durations_ms, is_warm=is_warm and "FAKE_BAZEL_COLD" not in os.environ)
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


def _write_services(targets: list[str], durations_ms: dict[str, float], *, is_warm: bool) -> None:
    for target in targets:
        services = _log(target).parent / "test.outputs/services.json"
        services.parent.mkdir(parents=True, exist_ok=True)
        content = {"ready_ms": durations_ms[target] / 10, "services": [{"name": "db", "warm": is_warm}]}
        services.write_text(json.dumps(content), encoding="utf-8")


def _keep_warm(arguments: list[str]) -> int:
    """Offer services of both names until Ctrl-C."""
    if "FAKE_BAZEL_RUN_FAILS" in os.environ:
        print("somebody keeps services warm already")
        return 1
    under = next(each for each in arguments if each.startswith("--run_under=env REALSERVICES_REGISTRY="))
    path = Path(under.rpartition("=")[2], "warm/key.0.sock")
    path.parent.mkdir()
    states = {"services": {name: {"state": "ready"} for name in ("db", "events")}}
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            print("keeping services warm", flush=True)
            while True:
                connection, _ = listener.accept()
                with connection:
                    assert connection.recv(16) == b"look\n"
                    connection.sendall(json.dumps(states).encode())
    except KeyboardInterrupt:
        path.unlink()
        Path(os.environ["FAKE_BAZEL_LAST"]).write_text(str(path), encoding="utf-8")
    return 0


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
