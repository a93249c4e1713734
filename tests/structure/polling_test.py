"""No test waits for ever: a loop that polls has a deadline, so that a failure has words instead of Bazel's time-out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.scratch import ROOT

_FILES = sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").rglob("*_test.py")])
_POLLS = {"sleep", "wait"}
_LIMITS = {"timeout", "wait_for"}
_ALLOWED = {
    # Processes that are ended by whoever started them.
    "tests/host/enclosure.py",
    "tests/launcher/actor.py",
    "tests/launcher/server.py",
    "tests/stress/enclosed.py",
    # It waits for each of the browser's messages, with a time-out.
    "tests/chromium.py",
}


def _calls(node: ast.AST) -> set[str]:
    functions = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
    return {each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in functions}


def _is_unlimited(loop: ast.While) -> bool:
    does_nothing = all(isinstance(each, ast.Pass) for each in loop.body)
    return (does_nothing or bool(_calls(loop) & _POLLS)) and "deadline" not in ast.unparse(loop).lower()


def _unlimited(node: ast.AST) -> list[int]:
    """Return the lines of loops that poll without a limit."""
    if isinstance(node, ast.With | ast.AsyncWith) and any(_calls(item.context_expr) & _LIMITS for item in node.items):
        return []
    own = [node.lineno] if isinstance(node, ast.While) and _is_unlimited(node) else []
    return own + [line for child in ast.iter_child_nodes(node) for line in _unlimited(child)]


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_loop_that_polls_has_a_deadline(path: Path) -> None:
    if path.relative_to(ROOT).as_posix() not in _ALLOWED:
        assert _unlimited(ast.parse(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("while not done():\n    sleep(1)", [1]),
        ("while not done():\n    pass", [1]),
        ("while not done():\n    assert monotonic() < deadline\n    sleep(1)", []),
        ("async def f():\n  async with asyncio.timeout(9):\n    while not done():\n        await asyncio.sleep(0)", []),
        ("while part := read():\n    parts.append(part)", []),
    ],
)
def test_such_loops_are_found(text: str, lines: list[int]) -> None:
    assert _unlimited(ast.parse(text)) == lines
