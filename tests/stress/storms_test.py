"""Small storms, as part of every run.

Larger ones: `tools/test --full` (`--test_env=STRESS_SCALE=17`: 64 launchers at once, 102 kills each on overlays and copies, 306 of all kinds), or the programs
themselves, with the paths that tests/host/places.py asks for: `python tests/stress/kill_storm.py --kills 100`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).absolute().parent
_SCALE = int(os.environ.get("STRESS_SCALE", "1"))


@pytest.mark.parametrize(
    ("storm", "options"),
    [
        ("launch_storm", ["--launchers", str(min(12 * _SCALE, 64))]),
        ("launch_storm", ["--launchers", "12", "--blocks", "2"]),
        ("kill_storm", ["--kills", str(6 * _SCALE), "--way", "overlay"]),
        ("kill_storm", ["--kills", str(6 * _SCALE), "--way", "copy"]),
        ("warm_storm", ["--rounds", str(6 * _SCALE)]),
        ("fault_storm", ["--kills", str(18 * _SCALE)]),
    ],
    ids=[
        "launches",
        "launches in two blocks",
        "kills on overlays",
        "kills on copies",
        "warm sessions",
        "kills of all kinds",
    ],
)
def test_a_storm_leaves_nothing(storm: str, options: list[str]) -> None:
    program = str(_HERE / f"{storm}.py")
    done = subprocess.run([sys.executable, "-B", program, *options], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
