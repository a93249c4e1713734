"""Storms: small ones in every run, large ones with `--test_env=REALSERVICES_STRESS=full` (`tools/test --full`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_FULL = os.environ.get("REALSERVICES_STRESS") == "full"
_HERE = Path(__file__).absolute().parent


@pytest.mark.parametrize(
    ("storm", "options"),
    [
        ("launch_storm", ["--launchers", "64" if _FULL else "12"]),
        ("kill_storm", ["--kills", "100" if _FULL else "6", "--way", "overlay"]),
        ("kill_storm", ["--kills", "100" if _FULL else "6", "--way", "copy"]),
    ],
    ids=["launches", "kills on overlays", "kills on copies"],
)
def test_a_storm_leaves_nothing(storm: str, options: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-B", str(_HERE / f"{storm}.py"), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
