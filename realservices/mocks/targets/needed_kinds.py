"""Which kinds of services a test file uses: by the fixtures and markers that stand in it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.real_fixtures import services_of

if TYPE_CHECKING:
    from pathlib import Path


def kinds_of(path: Path) -> set[str]:
    """Return the kinds of services of a test file; none where it cannot be parsed."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= {kind for each in node.args.args for kind in services_of(each.arg)}
        elif (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("requires_")
            and ast.unparse(node.value) == "pytest.mark"
        ):
            found.add(node.attr.removeprefix("requires_"))
    return found
