"""The generated pages of the Python side say what the code says."""

from __future__ import annotations

import subprocess
import sys

from tests.scratch import ROOT


def test_no_page_is_stale() -> None:
    # In a process of its own: it runs pytest to see its fixtures.
    command = [sys.executable, "-m", "docs_build.pages", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stdout + done.stderr
