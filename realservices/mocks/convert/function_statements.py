"""The statements of a function under test: which calls are in each, and what a call's parameters stand for."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.expressions import text_of
from realservices.mocks.convert.project_modules import full_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Function = ast.FunctionDef | ast.AsyncFunctionDef


def bound(
    function: Function, arguments: list[ast.expr], named: Mapping[str, ast.expr], *, is_method: bool
) -> dict[str, ast.expr]:
    """Return what the parameters of a function stand for in a call."""
    parameters = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    if is_method and parameters and parameters[0] in ("self", "cls"):
        parameters = parameters[1:]
    return {**defaults(function), **dict(zip(parameters, arguments, strict=False)), **named}


def defaults(function: Function) -> dict[str, ast.expr]:
    """Return the parameters that have a constant as their default."""
    places = [*function.args.posonlyargs, *function.args.args]
    given = function.args.defaults
    found = dict(zip((each.arg for each in places[len(places) - len(given) :]), given, strict=True))
    words = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    found |= {each.arg: default for each, default in words if default is not None}
    return {name: node for name, node in found.items() if isinstance(node, ast.Constant)}


def local_names(function: Function) -> set[str]:
    """Return the names that a function uses."""
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}


def assigned(function: Function, name: str) -> ast.expr | None:
    """Return what a name is assigned in a function, None where it is not."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(dotted(target) == name for target in node.targets):
            return node.value
    return None


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, those within others after these."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        yield statement
        for name in ("body", "orelse", "finalbody"):
            yield from statements(getattr(statement, name, None) or [])
        for handler in getattr(statement, "handlers", ()):
            yield from statements(handler.body)


def _own_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield what belongs to a statement itself, inner parts of an expression before it."""
    for name, value in ast.iter_fields(statement):
        if name in ("body", "orelse", "finalbody", "handlers"):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST):
                yield from _inside_out(node)


def _inside_out(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield from _inside_out(child)
    yield node


def calls_in(statement: ast.stmt) -> list[ast.Call]:
    """Return the calls of a statement itself, inner ones first."""
    return [node for node in _own_expressions(statement) if isinstance(node, ast.Call)]


def awaited(statement: ast.stmt) -> set[ast.AST]:
    """Return the expressions that a statement awaits, also those that it hands to `asyncio.wait_for` and its like."""
    found: set[ast.AST] = {node.value for node in _own_expressions(statement) if isinstance(node, ast.Await)}
    handed = [each for each in found if isinstance(each, ast.Call) and dotted(each.func).startswith("asyncio.")]
    found |= {argument for call in handed for argument in call.args}
    if isinstance(statement, ast.AsyncFor):
        found.add(statement.iter)
    return found


def entered(statement: ast.stmt) -> set[ast.AST]:
    """Return the expressions that a statement enters as context managers."""
    return {item.context_expr for item in statement.items} if isinstance(statement, ast.With | ast.AsyncWith) else set()


def returned_names(function: Function) -> set[str]:
    """Return the names that a function returns as they are."""
    return {
        node.value.id
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Name)
    }


def direct_call(statement: ast.stmt, returned: set[str]) -> ast.AST | None:
    """Return the call whose result a statement returns, or gives a name that is returned."""
    value = statement.value if isinstance(statement, ast.Return | ast.Assign) else None
    if isinstance(statement, ast.Assign) and dotted(statement.targets[0]) not in returned:
        return None
    return value.value if isinstance(value, ast.Await) else value


def is_result(value: ast.expr) -> bool:
    """Return whether an expression is what a service answered: nothing that a test could write down."""
    return any(isinstance(node, ast.Await) for node in ast.walk(value))


def dotted(node: ast.expr) -> str:
    """Return the dotted name of an expression as it is written."""
    return full_name(node, {})


def sql_text(call: ast.Call) -> str | None:
    """Return the text of the statement that a call sends, None where it has none."""
    if not call.args:
        return None
    first = call.args[0]
    if isinstance(first, ast.Call) and first.args and ast.unparse(first.func).rpartition(".")[2].lstrip("?") == "text":
        first = first.args[0]
    return text_of(first)
