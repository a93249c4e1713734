"""Run `python -m realservices migrate …` as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def migrate(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return the finished command."""
    command = [sys.executable, "-m", "realservices", "migrate", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("BUILD_WORKING_DIRECTORY", None)
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def migrate_json(directory: Path, *arguments: str) -> dict[str, Any]:
    """Return what the command prints as JSON."""
    done = migrate(directory, *arguments, "--json")
    content: dict[str, Any] = json.loads(done.stdout)
    return content
