"""What both sides agree on is data: `contract/` makes, locks and connects to nothing. Locks have one module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.scratch import ROOT

_PACKAGE = ROOT / "realservices"
_ACTING = {"fcntl", "shutil", "socket", "subprocess", "tempfile", "threading"}
_LOCKS = _PACKAGE / "system" / "locks.py"


def _imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def _calls_flock(path: Path) -> bool:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return any(isinstance(node, ast.Attribute) and node.attr in ("flock", "lockf") for node in nodes)


@pytest.mark.parametrize("path", sorted((_PACKAGE / "contract").glob("*.py")), ids=lambda path: path.stem)
def test_the_contract_is_data(path: Path) -> None:
    assert _imported(path) & _ACTING == set()


def test_only_one_module_locks_files() -> None:
    assert [path for path in _PACKAGE.rglob("*.py") if _calls_flock(path)] == [_LOCKS]
