"""The shop is an application with mock-based tests: what the tests here convert, and nothing that runs by itself."""

from __future__ import annotations

collect_ignore = ["shop"]
