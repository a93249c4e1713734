"""A whole session of a test run outside of Bazel: `doctor --deep`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import realservices
from realservices.cli.checks.finding import Finding, error
from realservices.cli.checks.scratch_directory import scratch_directory
from realservices.contract import environment
from realservices.system.directory_safety import SHORT_BASES

_TIMEOUT_S = 120
_SHOWN_LINES = 5


def check_session() -> list[Finding]:
    """Run `validate` as a process of its own, in an empty project and with a cache of its own."""
    with scratch_directory(*SHORT_BASES) as directory:
        Path(directory, "realservices.toml").touch()
        env = {name: value for name, value in os.environ.items() if name != environment.RUNTIME}
        # What this process can import, the other one shall, too; templates are made in a cache that goes with it.
        root = str(Path(realservices.__file__).parent.parent)
        env |= {"PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)]), "XDG_CACHE_HOME": f"{directory}/cache"}
        env.pop("BUILD_WORKING_DIRECTORY", None)
        command = [sys.executable, "-m", "realservices", "validate", "--json"]
        try:
            done = subprocess.run(
                command, cwd=directory, env=env, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
            steps: list[dict[str, Any]] = json.loads(done.stdout)["steps"]
        except (OSError, subprocess.TimeoutExpired) as failed:
            return [_failed("session", "session", str(failed))]
        except (ValueError, KeyError):
            return [_failed("session", "session", " | ".join(done.stderr.strip().splitlines()[-_SHOWN_LINES:]))]
    return [_finding(step) for step in steps]


def _finding(step: dict[str, Any]) -> Finding:
    identity = f"session.{step['id']}", f"session: {step['id']}"
    if step["state"] == "failed":
        return _failed(*identity, step["detail"])
    return Finding(*identity, f"{step['detail']} ({step['elapsed_ms']:.0f} ms)")


def _failed(identity: str, title: str, found: str) -> Finding:
    return error(
        identity, title, found,
        meaning="Tests outside of Bazel that use this fail.",
        remedy="See the lines above; then: python -m realservices validate",
    )  # fmt: skip
