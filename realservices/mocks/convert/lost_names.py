"""Names that a converted test reads, and that nothing gives it any more."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.each_test import each_test

if TYPE_CHECKING:
    from collections.abc import Iterable


def lost_names(before: str, after: str, converted: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the tests that read a name which they had made themselves, the name, and what is wrong.

    Args:
        before: The file as it was.
        after: The file as it is now.
        converted: Names of the tests that were changed.
    """
    known = set(converted)
    old = {test.name: test.node for test in each_test(ast.parse(before)) if test.name in known}
    found: dict[str, tuple[str, str]] = {}
    tree = ast.parse(after)
    at_top = {name for node in tree.body for name in _given(node)}
    for test in each_test(tree):
        if test.name in known and test.name in old:
            lost = _bound(old[test.name]) & _read(test.node) - _bound(test.node) - at_top
            if lost:
                found[test.name] = sorted(lost)[0], "the test uses a part of the mock by itself"
    return found


def _given(node: ast.stmt) -> set[str]:
    """Return the names that a statement at the top of a file gives."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    return _bound(node)


def _bound(node: ast.AST) -> set[str]:
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)}
    names |= {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    return names | {each.name for each in ast.walk(node) if isinstance(each, ast.ExceptHandler) and each.name}


def _read(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
