"""Runs pytest on the test beside it, as people do without a ruleset for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["-p", "no:cacheprovider", str(Path(__file__).parent / "idle_test.py")]))
