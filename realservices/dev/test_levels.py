"""The levels of tests, and how many seconds a test of each may take. By itself: the command line has no pytest."""

from __future__ import annotations

LIMITS_S = {"unit": 10.0, "integration": 60.0, "e2e": 300.0}
