"""Where code under test has the address of an API from: what a test sets to its own server instead.

An argument of the test's own, a constant or setting of the project, or an environment variable. An address that is
written into a function's body cannot be set, and is told with its place.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.http_heads import heads_of, is_given
from realservices.mocks.convert.http_settings import Address, fits, of_defaults, of_project, origin_of, written_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.convert.project_modules import Module
    from realservices.mocks.convert.test_facts import Function
    from realservices.mocks.convert.test_plan import TestPlan


def find_address(plan: TestPlan, origin: str, line: int, what: str) -> Address:
    """Return where the code has an address from.

    Args:
        plan: With the test, and what its code does.
        origin: Scheme and host of the address, "" where they are not known.
        line: Of the mock, for messages.
        what: The mock, for messages.

    Raises:
        Unconvertible: It is written into the code, or there are several that it may be.
    """
    heads = set() if origin else heads_of(plan)
    own = _of_test(plan, origin, heads)
    if own is not None and not (origin and written_in(plan, origin)):
        return own
    everywhere = [*of_project(plan, origin), *of_defaults(plan, origin)]
    if not origin:
        everywhere = [each for each in everywhere if each.last_names() & heads]
    found = {str(each.targets or each.variables or each.parameter): each for each in everywhere}
    if len(found) == 1:
        return next(iter(found.values()))
    shown = origin or "the API"
    if found:
        names = ", ".join(sorted(name.strip("[]'") for name in found))
        raise Unconvertible(line, what, f"several settings may hold the address of {shown}: {names}", _remedy(names))
    place = written_in(plan, origin)
    where = f"the address of {shown} is written into the code ({place})"
    where = where if place else f"nothing sets the address of {shown}"
    raise Unconvertible(line, what, where, _remedy("app.module.API_URL"))


def _remedy(name: str) -> str:
    first = name.partition(",")[0]
    return (
        "have the code take it from an argument, a setting or an environment variable; then "
        f'monkeypatch.setattr("{first}", isolated_http.url)'
    )


def use_address(address: Address, plan: TestPlan) -> None:
    """Have the code ask the test's own server."""
    for target in address.targets:
        plan.take("monkeypatch")
        plan.setup.append(f'monkeypatch.setattr("{target}", {_value(address.text)})')
    for variable in address.variables:
        plan.take("monkeypatch")
        plan.setup.append(f'monkeypatch.setenv("{variable}", {_value(address.text)})')
    for function, node in address.texts:
        edits = plan.reading.edit(function)
        edits.texts[node.lineno, node.col_offset] = _value(str(node.value))
        _take(function, plan)
    for function, name in address.names:
        constant = plan.module.constants[name]
        plan.reading.edit(function).renames[name] = _value(str(ast.literal_eval(constant)))
        _take(function, plan)
    for function, call in address.calls:
        given = ast.keyword(address.parameter, ast.parse(_value(address.text), mode="eval").body)
        wider = ast.Call(call.func, call.args, [*call.keywords, given])
        end = (call.end_lineno or call.lineno, call.end_col_offset or 0)
        plan.reading.edit(function).spans[call.lineno, call.col_offset, *end] = ast.unparse(wider)
        _take(function, plan)


def _take(function: Function, plan: TestPlan) -> None:
    arguments = plan.reading.edit(function).arguments
    if function is not plan.reading.test and "isolated_http" not in arguments:
        arguments.append("isolated_http")


def _value(text: str) -> str:
    rest = text[len(origin_of(text)) :]
    return f'f"{{isolated_http.url}}{rest}"' if rest else "isolated_http.url"


def _of_test(plan: TestPlan, origin: str, heads: set[str]) -> Address | None:
    """Return the constants of the test and its fixtures that have the address."""
    found = Address()
    functions = [plan.reading.test, *(each.node for each in plan.reading.fixtures if each.module is plan.module)]
    for function in functions:
        gone = plan.reading.edit(function).removed
        for statement in _leaves(function.body):
            if statement.lineno in gone or _is_text(statement):
                continue
            for node in _own_nodes(statement):
                if not origin and not (isinstance(node, ast.expr) and is_given(node, function, heads, plan)):
                    continue
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and fits(node.value, origin):
                    found.texts.append((function, node))
                elif isinstance(node, ast.Name) and fits(_constant(plan.module, node.id), origin):
                    found.names.append((function, node.id))
    texts = [str(node.value) for _, node in found.texts]
    texts += [_constant(plan.module, name) for _, name in found.names]
    if len({origin_of(each) for each in texts}) != 1:
        return None
    found.text = min(texts, key=len)
    return found


def _constant(module: Module, name: str) -> str:
    node = module.constants.get(name)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _leaves(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        for name in ("body", "orelse", "finalbody"):
            yield from _leaves(getattr(statement, name, None) or [])


def _own_nodes(statement: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a statement, but for the statements in it."""
    for node in ast.iter_child_nodes(statement):
        if not isinstance(node, ast.stmt | ast.JoinedStr):
            yield node
            yield from _own_nodes(node)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
