"""Tests that need more than one user id: root outside of any sandbox has them, and gives them to an enclosure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ENCLOSURE = Path(__file__).absolute().with_name("enclosure.py")


def needs_all_ids() -> None:
    """Skip a test where root has one user id only, as in Bazel's sandbox, or nobody is root."""
    command = [sys.executable, "-I", "-S", "-B", str(ENCLOSURE), "--all-ids", "--", "true"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only real root can give itself more than one user id")
