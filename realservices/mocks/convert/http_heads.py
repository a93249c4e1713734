"""What the URLs of code under test begin with, where that is no text: the name of an attribute, or of a setting."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.expressions import free_name
from realservices.mocks.convert.http_routes import VERBS
from realservices.mocks.convert.http_settings import CLIENTS
from realservices.mocks.convert.project_modules import full_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.convert.test_plan import TestPlan

_MAKERS = ("AsyncClient", "Client", "Session", "ClientSession")
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def heads_of(plan: TestPlan) -> set[str]:
    """Return the last names of what the code's URLs begin with."""
    found: set[str] = set()
    for call in plan.calls:
        if not {origin.partition(".")[0] for origin in call.module.imports.values()} & CLIENTS:
            continue
        urls = [call.keywords["base_url"]] if call.method in _MAKERS and "base_url" in call.keywords else []
        if call.method in VERBS:
            urls += [call.keywords["url"]] if "url" in call.keywords else call.node.args[:1]
        found |= {name for url in urls if (name := _head(url))}
    return found


def _head(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr) and node.values:
        return _head(node.values[0])
    if isinstance(node, ast.FormattedValue):
        return _head(node.value)
    if isinstance(node, ast.BinOp):
        return _head(node.left)
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        return str(node.slice.value) if isinstance(node.slice, ast.Constant) else ""
    if isinstance(node, ast.Call):
        given = node.args[0] if node.args else None
        if isinstance(given, ast.Constant) and isinstance(given.value, str) and "env" in ast.unparse(node.func):
            return given.value
        return _head(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    return free_name(node)


def is_given(node: ast.expr, function: ast.AST, heads: set[str], plan: TestPlan) -> bool:
    """Return whether a test gives an expression to what the code's URLs begin with.

    Args:
        node: A constant, or a name.
        function: The test, or a fixture, that it stands in.
        heads: What URLs begin with.
        plan: Where the called functions are looked up.
    """
    for call in (each for each in ast.walk(function) if isinstance(each, ast.Call)):
        named = [word.arg or "" for word in call.keywords if word.value is node]
        placed = [at for at, each in enumerate(call.args) if each is node]
        if ast.unparse(call.func) == "monkeypatch.setenv" and placed and isinstance(call.args[0], ast.Constant):
            return str(call.args[0].value) in heads
        for parameter in (*named, *(name for at in placed for name in _parameter(call, at, plan))):
            if {parameter, *_attributes(call, parameter, plan)} & heads:
                return True
    return False


def _made(call: ast.Call, plan: TestPlan) -> ast.AST | None:
    name = full_name(call.func, plan.module.imports)
    definition = plan.project.resolve(name)
    node = definition.node if definition is not None else plan.module.definitions.get(name)
    if isinstance(node, ast.ClassDef):
        return next((each for each in node.body if isinstance(each, _FUNCTIONS) and each.name == "__init__"), None)
    return node


def _parameter(call: ast.Call, at: int, plan: TestPlan) -> Iterator[str]:
    node = _made(call, plan)
    if isinstance(node, _FUNCTIONS):
        names = [each.arg for each in (*node.args.posonlyargs, *node.args.args) if each.arg not in ("self", "cls")]
        yield from names[at : at + 1]


def _attributes(call: ast.Call, parameter: str, plan: TestPlan) -> Iterator[str]:
    """Yield the attributes that a constructor makes of a parameter."""
    node = _made(call, plan)
    for each in ast.walk(node) if node is not None else ():
        target = each.targets[0] if isinstance(each, ast.Assign) else None
        if isinstance(each, ast.Assign) and isinstance(target, ast.Attribute):
            names = {inner.id for inner in ast.walk(each.value) if isinstance(inner, ast.Name)}
            if parameter in names:
                yield target.attr
