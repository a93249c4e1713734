"""The databases that a module of Django's settings declares, and the variables that each is read from."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.cli.proposal.project_files import python_tree
from realservices.cli.proposal.read_names import names_read

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "DATABASES"


def aliases(text: str, path: Path) -> dict[str, set[str]]:
    """Return the keys of `DATABASES`, with the variables in each one's value; none where it is no plain dictionary."""
    if _NAME not in text:
        return {}
    for node in ast.walk(python_tree(text)):
        value = node.value if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == _NAME else None
        value = value.body if isinstance(value, ast.IfExp) else value
        if isinstance(value, ast.Dict):
            pairs = zip(value.keys, value.values, strict=True)
            return {
                key.value: {name for name, _, _ in names_read(ast.unparse(each), path)}
                for key, each in pairs
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            }
    return {}
