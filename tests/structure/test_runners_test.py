"""The rules and the launcher know the same runners of tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realservices.launcher.test_runners import NAMES, SHARDING

_RULES = Path(__file__).parents[2] / "rules" / "private" / "test_runners.bzl"


def test_both_sides_know_the_same() -> None:
    # A file of constants and functions is Python as well as Starlark, but for what it loads.
    rules: dict[str, Any] = {"load": lambda *_: None}
    exec(compile(_RULES.read_text("utf-8"), str(_RULES), "exec"), rules)
    assert rules["TEST_RUNNERS"] == list(NAMES)
    assert rules["SHARDING_RUNNERS"] == list(SHARDING)
