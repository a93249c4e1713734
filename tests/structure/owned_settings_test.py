"""The rules and plain pytest refuse the same server settings, with the same words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realservices.kinds import registry

_RULES = Path(__file__).parents[2] / "rules" / "private" / "owned_settings.bzl"


def test_both_sides_refuse_the_same() -> None:
    # A file of constants is Python as well as Starlark.
    rules: dict[str, Any] = {}
    exec(compile(_RULES.read_text("utf-8"), str(_RULES), "exec"), rules)
    kinds = map(registry.find, registry.names())
    assert rules["OWNED_SETTINGS"] == {kind.name: kind.owned_settings for kind in kinds if kind.owned_settings}
