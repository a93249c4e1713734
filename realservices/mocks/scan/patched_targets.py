"""What a patch replaces, and what stands in its place, by its arguments."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.scan.apis import kind_of_patch
from realservices.mocks.scan.draft import argument, is_constant, keyword, literal
from realservices.mocks.scan.scopes import INSTANCE, dotted, resolve

if TYPE_CHECKING:
    from realservices.mocks.scan.scopes import Scope

_SPECS = ("spec", "spec_set", "wraps", "autospec")


def target_of(api: str, call: ast.Call, scope: Scope) -> str:
    """Return the dotted name of what a call replaces or is made after, "" where it is unknown."""
    kind = kind_of_patch(api)
    if kind == "-":
        return _spec_of(api, call, scope)
    first = argument(call, 0, "target", "in_dict")
    owner = literal(first) or named(first, scope)
    if kind in ("", "dict"):
        return owner
    if kind == "multiple":
        names = [one.arg for one in call.keywords if one.arg and one.arg not in ("target", *_SPECS)]
        return f"{owner}.{names[0]}" if owner and len(names) == 1 else owner
    attribute = literal(argument(call, 1, "attribute", "name"))
    return f"{owner}.{attribute}" if owner and attribute else owner


def _spec_of(api: str, call: ast.Call, scope: Scope) -> str:
    if api.endswith((".create_autospec", ".spy")):
        owner = named(argument(call, 0, "spec", "obj"), scope)
        attribute = literal(argument(call, 1, "name")) if api.endswith(".spy") else ""
        return f"{owner}.{attribute}" if owner and attribute else owner
    spec = keyword(call, *_SPECS)
    if spec is None and call.args and not api.endswith((".mock_open", ".PropertyMock", ".stub")):
        spec = call.args[0]
    return named(spec, scope)


def named(node: ast.AST | None, scope: Scope) -> str:
    """Return the full name of an expression; of an instance that of its class."""
    if isinstance(node, ast.Call):
        return named(node.func, scope)
    text = dotted(node) if node else ""
    full = resolve(text, scope)
    if not full and text:
        return text  # Better a local name than none.
    return full.replace(INSTANCE, "").removeprefix("builtins.") if text else ""


def replacement(api: str, call: ast.Call) -> ast.expr | None:
    """Return what a patch puts in place of its target; None where it makes a mock."""
    kind = kind_of_patch(api)
    if kind == "":
        return argument(call, 1, "new")
    if kind == "object":
        return argument(call, 2, "new")
    if kind == "dict":
        return argument(call, 1, "values")
    return None


def injects(api: str, call: ast.Call) -> bool:
    """Return whether a patch, as a decorator, passes its mock to the function."""
    kind = kind_of_patch(api)
    return kind in ("", "object") and replacement(api, call) is None


def injected_by_name(api: str, call: ast.Call) -> list[str]:
    """Return the keyword arguments that `patch.multiple` passes."""
    if kind_of_patch(api) != "multiple":
        return []
    return [one.arg for one in call.keywords if one.arg and dotted(one.value).endswith("DEFAULT")]


def lone_value(api: str, call: ast.Call) -> str:
    """Return why a patch replaces nothing that runs, "" where it does."""
    target = literal(argument(call, 0)) or dotted(argument(call, 0) or ast.Constant(0))
    if kind_of_patch(api) == "dict":
        if target.endswith("environ"):
            return "sets environment variables, and replaces nothing that runs"
        values = replacement(api, call)
        plain = is_constant(values) if values else all(is_constant(one.value) for one in call.keywords)
        return "sets values in a dictionary, and replaces nothing that runs" if plain else ""
    new = replacement(api, call)
    return "sets a value, and replaces nothing that runs" if new is not None and is_constant(new) else ""
