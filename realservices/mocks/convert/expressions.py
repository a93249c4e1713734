"""Expressions of code under test in terms of the test that calls it: arguments for parameters, constants for names."""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FREE = "?"
"""What the name begins with that means something in the code under test only."""
UNKNOWN = "?ANY"
"""A name that stands for what an assertion leaves open."""
_KNOWN = {"str", "int", "float", "len", "bool", "list", "dict", "tuple", "set", "sorted", "min", "max", "True", "False"}
_MODULES = {"json"}


def inline(node: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """Return an expression with known names replaced, all others marked as free, and constant texts put together."""
    replaced: ast.expr = _Inliner(values).visit(copy.deepcopy(node))
    return replaced


def source_of(node: ast.expr | None) -> str | None:
    """Return an expression as text that the test can evaluate, None where it has free names or awaits something."""
    if node is None:
        return None
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id.startswith(_FREE):
            return None
        if isinstance(inner, ast.Await | ast.Yield | ast.YieldFrom | ast.Starred | ast.NamedExpr):
            return None
    return ast.unparse(node)


def free_name(node: ast.expr) -> str:
    """Return the name as the code under test has it."""
    return node.id.removeprefix(_FREE) if isinstance(node, ast.Name) else ""


def text_of(node: ast.expr | None) -> str | None:
    """Return the text of a constant, None where it is none."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


class _Inliner(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._values:
            return copy.deepcopy(self._values[node.id])
        if node.id in _KNOWN or node.id in _MODULES or node.id.startswith(_FREE):
            return node
        return ast.Name(_FREE + node.id, node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        dotted = f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else ""
        if dotted and dotted in self._values:
            return copy.deepcopy(self._values[dotted])
        self.generic_visit(node)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        self.generic_visit(node)
        texts = [_constant_text(part) for part in node.values]
        if any(text is None for text in texts):
            return node
        return ast.Constant("".join(text or "" for text in texts))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        left, right = text_of(node.left), text_of(node.right)
        if isinstance(node.op, ast.Add) and left is not None and right is not None:
            return ast.Constant(left + right)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        base = node.func.value if isinstance(node.func, ast.Attribute) else None
        template = text_of(base) if base is not None else None
        if template is not None and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            values = [_value(argument) for argument in node.args]
            named = {word.arg: _value(word.value) for word in node.keywords if word.arg}
            if None not in values and None not in named.values():
                try:
                    return ast.Constant(template.format(*values, **named))
                except (IndexError, KeyError, ValueError):
                    return node
        return node


def _constant_text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return str(node.value)
    is_plain = isinstance(node, ast.FormattedValue) and node.format_spec is None and node.conversion == -1
    if is_plain and isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Constant):
        return str(node.value.value)
    return None


def _value(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def are_constant(*texts: str) -> bool:
    """Return whether all of some expressions are constants."""
    return all(isinstance(ast.parse(text, mode="eval").body, ast.Constant) for text in texts)
