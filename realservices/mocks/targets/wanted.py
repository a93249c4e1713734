"""Which kinds of services a test file uses: by the fixtures and markers that stand in it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_KINDS = {
    "isolated_database": "postgres", "cloned_database": "postgres", "isolated_psycopg": "postgres",
    "isolated_engine": "postgres",
    "isolated_session": "postgres", "isolated_redis": "redis", "isolated_clickhouse": "clickhouse",
}  # fmt: skip


def kinds_of(path: Path) -> set[str]:
    """Return the kinds of services of a test file; none where it cannot be parsed."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= {kind for each in node.args.args if (kind := _kind(each.arg))}
        elif (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("requires_")
            and ast.unparse(node.value) == "pytest.mark"
        ):
            found.add(node.attr.removeprefix("requires_"))
    return found


def _kind(fixture: str) -> str:
    return next((kind for start, kind in _KINDS.items() if fixture.startswith(start)), "")
