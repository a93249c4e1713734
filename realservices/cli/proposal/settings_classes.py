"""Names of environment variables that classes of pydantic-settings read: each field is one.

Source: pydantic-settings, "Environment variable names" (`env_prefix`, aliases, `case_sensitive`).
"""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BASE = "BaseSettings"
_ALIASES = ("validation_alias", "alias", "env")


def fields_read(text: str) -> Iterator[tuple[str, str]]:
    """Yield each variable's name and its default, "" if it has none, or none that is a text."""
    if _BASE not in text:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith(_BASE) for base in node.bases):
            yield from _fields(node)


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    prefix = _prefix(node)
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            call = field.value if isinstance(field.value, ast.Call) else None
            alias = next((name for key in _ALIASES if (name := _given(call, key))), "")
            default = call.args[0] if call and call.args else field.value
            yield alias or f"{prefix}{field.target.id}".upper(), _text(default) or _given(call, "default")


def _prefix(node: ast.ClassDef) -> str:
    """Return `env_prefix`, from `SettingsConfigDict(…)` or the older class `Config`."""
    for one in ast.walk(node):
        if isinstance(one, ast.keyword) and one.arg == "env_prefix":
            return _text(one.value)
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "env_prefix":
            return _text(one.value)
    return ""


def _given(call: ast.Call | None, key: str) -> str:
    return next((_text(word.value) for word in call.keywords if word.arg == key), "") if call else ""


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
