"""Each package that the project locks for tests is imported by its code, and stands in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scratch import ROOT

_REQUIREMENTS = [
    line for line in (ROOT / "third_party/python/requirements.in").read_text("utf-8").splitlines() if line[:1].isalpha()
]
# What pytest itself loads.
_PLUGINS = {"pytest-xdist"}


def _is_imported(module: str, path: Path) -> bool:
    return re.search(rf"^\s*(?:import|from) {module}\b", path.read_text("utf-8"), re.M) is not None


@pytest.mark.parametrize("package", sorted({*_REQUIREMENTS} - _PLUGINS))
def test_what_is_locked_is_imported(package: str) -> None:
    module = package.replace("-", "_")
    assert any(_is_imported(module, path) for path in (ROOT / "realservices").rglob("*.py"))


@pytest.mark.parametrize("package", _REQUIREMENTS)
def test_what_is_locked_is_documented(package: str) -> None:
    assert f"\n| {package} | " in (ROOT / "docs/dependencies.md").read_text("utf-8")
