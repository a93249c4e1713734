"""Every test asserts something, and no assertion does the work of the test: `python -O` must not change what is done."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.scratch import ROOT
from tests.structure.asserted import parsed, unasserted_tests

_TESTS = sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").rglob("*_test.py")])
# The package's and the tools' own code, too: an interpreter that leaves assertions out runs it as well.
_CODE = sorted(
    [*(ROOT / "realservices").rglob("*.py"), *(ROOT / "tools").rglob("*.py"), *(ROOT / "release").rglob("*.py")]
)
# A project whose mocks are converted; its code has a method of this name.
_SAMPLE = ROOT / "tests" / "mocks" / "shop"
# What changes the object that it is called on.
_CHANGES = {"add", "append", "clear", "extend", "insert", "pop", "popitem", "popleft", "remove", "unlink", "write_text"}


def _side_effects(tree: ast.AST) -> list[int]:
    """Return the lines of assertions that assign, or change what they look at."""
    found = []
    for assertion in (node for node in ast.walk(tree) if isinstance(node, ast.Assert)):
        for node in ast.walk(assertion):
            is_change = (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES
            )
            if is_change or isinstance(node, ast.NamedExpr):
                found.append(assertion.lineno)
    return found


def _found(files: list[Path], look: Callable[[Path], Sequence[object]]) -> dict[str, Sequence[object]]:
    return {path.relative_to(ROOT).as_posix(): found for path in files if (found := look(path))}


def test_every_test_asserts_something() -> None:
    assert _found(_TESTS, unasserted_tests) == {}


def test_no_assertion_has_a_side_effect() -> None:
    files = [path for path in (*_TESTS, *_CODE) if not path.is_relative_to(_SAMPLE)]
    assert _found(files, lambda path: _side_effects(parsed(path))) == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def test_a():\n    assert 1\n", []),
        ("def test_a():\n    run()\n", ["test_a (line 1)"]),
        ("def test_a():\n    with pytest.raises(ValueError):\n        run()\n", []),
        ("def check():\n    assert 1\ndef test_a():\n    check()\n", []),
        ("def check():\n    pass\ndef test_a():\n    check()\n", ["test_a (line 3)"]),
        ("from helping import check\ndef test_a():\n    check()\n", []),
        ("import helping\ndef test_a():\n    helping.check()\n", []),
        ("from helping import use\ndef test_a():\n    use()\n", ["test_a (line 2)"]),
        ("from helping import Checked\ndef test_a():\n    Checked().check_all()\n", []),
        ("def test_a(checked):\n    checked\n", []),
        ("def test_a():\n    test_a()\n", ["test_a (line 1)"]),
    ],
)
def test_helpers_are_found_through_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, names: list[str]
) -> None:
    monkeypatch.setattr("tests.structure.asserted.ROOT", tmp_path)
    (tmp_path / "helping.py").write_text(
        "def check():\n    assert 1\ndef use():\n    return 1\nclass Checked:\n    def check_all(self):\n        check()\n"
    )
    (tmp_path / "conftest.py").write_text("@pytest.fixture\ndef checked():\n    yield\n    assert 1\n")
    (tmp_path / "test_it.py").write_text(text)
    assert unasserted_tests(tmp_path / "test_it.py") == names


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("assert a == b", []),
        ("assert a.pop() == 1", [1]),
        ("x\nassert (match := find())", [2]),
        ("assert pop(a)", []),
    ],
)
def test_side_effects_are_found(text: str, lines: list[int]) -> None:
    assert _side_effects(ast.parse(text)) == lines
