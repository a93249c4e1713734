"""The rules and the launcher know the same runners of tests, and the same programs for PATH."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realservices.kinds import registry
from realservices.launcher.test_runners import NAMES, SHARDING

_RULES = Path(__file__).parents[2] / "rules" / "private"


def _constants(name: str) -> dict[str, Any]:
    # A file of constants and functions is Python as well as Starlark, but for what it loads.
    constants: dict[str, Any] = {"load": lambda *_: None}
    exec(compile((_RULES / name).read_text("utf-8"), name, "exec"), constants)
    return constants


def test_both_sides_know_the_same_runners() -> None:
    rules = _constants("test_runners.bzl")
    assert rules["TEST_RUNNERS"] == list(NAMES)
    assert rules["SHARDING_RUNNERS"] == list(SHARDING)


def test_both_sides_know_the_same_programs() -> None:
    kinds = map(registry.find, registry.names())
    known = {program: kind.name for kind in kinds for program in kind.client_programs}
    assert _constants("on_path.bzl")["PATH_PROGRAMS"] == known
