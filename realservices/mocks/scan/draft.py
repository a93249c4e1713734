"""What the walk through a file writes down, before it is known what each mock stands for."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from realservices.mocks.scan.scopes import Scope
    from realservices.mocks.scan_model import Form, Service


@dataclass(slots=True, eq=False)
class Draft:
    """A use of a mock whose service is still open.

    Attributes:
        node: Where it is.
        form: How it is done.
        api: The called thing.
        scope: Where it is done.
        target: Dotted name of what is replaced, as far as it is known.
        call: Its arguments.
        names: Names by which it is reached.
        hints: Names that speak of it: the argument it is passed as, the function that returns it.
        known: Service and evidence that are plain from the form alone.
        inside: Mocks and calls within its arguments, by full name.
        links: Other mocks that this one returns, or installs.
        lone: It sets a value, or an environment variable: nothing is replaced that runs.
        fixture: Name of the fixture that makes it, "" outside of one.
        place: Full name of the attribute that it is assigned to, where that is known.
        facts: What is done with it, once that has been looked up (mock_usage.py).
    """

    node: ast.AST
    form: Form
    api: str
    scope: Scope
    target: str = ""
    call: ast.Call | None = None
    names: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    known: tuple[Service, str] | None = None
    inside: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    lone: str = ""
    fixture: str = ""
    place: str = ""
    facts: list[tuple[str, Fact, tuple[str, ...]]] | None = None


class Fact(NamedTuple):
    """Something that is done with a name.

    Attributes:
        scope: Where.
        attributes: The attributes behind the name's first part: of `db.execute.return_value` "execute", "return_value".
        call: The outermost call of them, if it is one.
        value: What is assigned to them, if something is.
    """

    scope: Scope
    attributes: tuple[str, ...]
    call: ast.Call | None = None
    value: ast.expr | None = None


@dataclass(slots=True)
class Notes:
    """All that a walk has found.

    Attributes:
        drafts: Uses of mocks.
        facts: What is done with names, by their first part; "self.x" is one part.
        fixtures: Names of fixtures that this file defines.
        returned: Names that fixtures and other functions return, by the function.
        types: What functions return, by the function: the full name of each element.
        parameters: Names that tests and fixtures ask for.
        markers: Names of pytest's markers.
        libraries: Libraries of mocks that are imported.
        tests: Number of tests.
    """

    drafts: list[Draft] = field(default_factory=list)
    facts: dict[str, list[Fact]] = field(default_factory=dict)
    fixtures: set[str] = field(default_factory=set)
    returned: dict[str, set[str]] = field(default_factory=dict)
    types: dict[str, list[str]] = field(default_factory=dict)
    parameters: set[str] = field(default_factory=set)
    markers: set[str] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)
    tests: int = 0


def literal(node: ast.AST | None) -> str:
    """Return a string literal, also one of an f-string's beginning; "" where a node is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) or "?" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return literal(node.left)
    return ""


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    """Return the value of a keyword argument."""
    for one in call.keywords:
        if one.arg in names:
            return one.value
    return None


def argument(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    """Return an argument by position or by name."""
    if len(call.args) > position and not any(isinstance(one, ast.Starred) for one in call.args[: position + 1]):
        return call.args[position]
    return keyword(call, *names)


def is_constant(node: ast.AST | None) -> bool:
    """Return whether an expression is made of literals alone."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return all(map(is_constant, node.elts))
    if isinstance(node, ast.Dict):
        return all(is_constant(one) for one in (*node.keys, *node.values) if one)
    if isinstance(node, ast.UnaryOp):
        return is_constant(node.operand)
    return isinstance(node, ast.BinOp) and is_constant(node.left) and is_constant(node.right)
