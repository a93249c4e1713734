"""The layouts are the same under Bazel and in plain pytest."""

from __future__ import annotations

import ast
from pathlib import Path

from realservices.schema.layouts import LAYOUTS

_RULES = Path(__file__).parents[2] / "rules" / "private" / "layouts.bzl"


def test_both_sides_have_the_same_layouts() -> None:
    found = [node for node in ast.parse(_RULES.read_text("utf-8")).body if isinstance(node, ast.Assign)]
    assert [ast.literal_eval(node.value) for node in found] == [[*LAYOUTS]]
