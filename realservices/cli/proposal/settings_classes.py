"""Names of environment variables that classes of pydantic-settings read: each field is one.

Source: pydantic-settings, "Environment variable names" (`env_prefix`, aliases, `case_sensitive`).
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.cli.proposal.project_files import python_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_BASE = "BaseSettings"
_ALIASES = ("validation_alias", "alias", "env")


def fields_read(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield each variable's name, its default, "" if that is no text or not there, and whether it must be set."""
    if _BASE not in text:
        return
    classes = {node.name: node for node in ast.walk(python_tree(text)) if isinstance(node, ast.ClassDef)}
    for node in classes.values():
        if any(ast.unparse(base).endswith(_BASE) for base in node.bases):
            yield from _fields(node, _configured(node, "env_prefix"), classes)


def _fields(node: ast.ClassDef, prefix: str, classes: dict[str, ast.ClassDef]) -> Iterator[tuple[str, str, bool]]:
    delimiter = _configured(node, "env_nested_delimiter")
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            call = field.value if isinstance(field.value, ast.Call) else None
            alias = next((name for key in _ALIASES if (name := _given(call, key))), "")
            default = call.args[0] if call and call.args else field.value
            name = alias or f"{prefix}{field.target.id}".upper()
            inner = classes.get(ast.unparse(field.annotation))
            if inner and delimiter and inner is not node:
                # A model of several values: each has a variable, with the field's name and the delimiter before it.
                yield from _fields(inner, f"{name}{delimiter}", {})
            else:
                yield name, _text(default) or _given(call, "default"), field.value is None


def _configured(node: ast.ClassDef, key: str) -> str:
    """Return a setting, from `SettingsConfigDict(…)`, the older class `Config` or the class's own words."""
    for one in ast.walk(node):
        if isinstance(one, ast.keyword) and one.arg == key:
            return _text(one.value)
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == key:
            return _text(one.value)
    return ""


def _given(call: ast.Call | None, key: str) -> str:
    return next((_text(word.value) for word in call.keywords if word.arg == key), "") if call else ""


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
