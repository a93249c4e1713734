"""The rules and the launcher know the same runners of tests, and say the same of each kind of service."""

from __future__ import annotations

import types
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from realservices.kinds import registry
from realservices.launcher.test_runners import NAMES, SHARDING

_RULES = Path(__file__).parents[2] / "rules" / "private"


class _Anything:
    """What Starlark has and Python has not, in files that are both: it can be called, asked and combined."""

    def __call__(self, *_: object, **__: object) -> _Anything:
        return self

    def __getattr__(self, _: str) -> _Anything:
        return self

    def __or__(self, _: object) -> _Anything:
        return self


def _constants(name: str, **known: Any) -> dict[str, Any]:
    names: dict[str, Any] = defaultdict(_Anything, {"load": lambda *_, **__: None, **known})
    exec(compile((_RULES / name).read_text("utf-8"), name, "exec"), {}, names)
    return names


def test_both_sides_know_the_same_runners() -> None:
    rules = _constants("test_runners.bzl")
    assert rules["TEST_RUNNERS"] == list(NAMES)
    assert rules["SHARDING_RUNNERS"] == list(SHARDING)


def _kind_info(**fields: Any) -> types.SimpleNamespace:
    return types.SimpleNamespace(**{"url_forms": [], "programs": [], **fields})


@pytest.mark.parametrize("name", [name for name in registry.names() if registry.find(name).resources])
def test_both_sides_say_the_same_of_a_kind(name: str) -> None:
    words = _constants("owned_settings.bzl")
    rules = _constants(f"{name}_service.bzl", kind_info=_kind_info, **words)
    described, kind = rules[name.upper()], registry.find(name)
    assert described.name == kind.name
    assert described.fields == list(kind.fields)
    assert described.url_forms == list(kind.url_forms)
    assert described.programs == list(kind.client_programs)
    assert rules["OWNED_SETTINGS"] == kind.owned_settings
