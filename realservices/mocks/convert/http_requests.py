"""What a test asks a fake of HTTP, or a route of it, as questions about the requests that the real server has got."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.handles import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

COUNTED = "[(each.method, each.path) for each in isolated_http.requests]"
LOOK = "look at isolated_http.requests"
_ALL = "isolated_http.requests"
_CALLS = ("calls", "request_history")
_LAST = ("last_request",)
_BODIES = {"content": "body", "body": "body", "text": "text"}
_KEPT = {"json", "headers", "method", "body", "text", "params", "path"}


def as_server_has_it(
    statement: ast.stmt, routers: Set[str], routes: Mapping[str, tuple[str, str]], *, is_only: bool
) -> str | None:
    """Return a statement that asks the server, None where there is none.

    Args:
        statement: What the test asks.
        routers: Names of the fake.
        routes: Names of routes, with method and path as Python's text.
        is_only: The fake has one route: all requests are its own.
    """
    asked = _Asked(routers, routes, is_only=is_only)
    new = asked.visit(ast.parse(ast.unparse(statement)).body[0])
    names = {node.id for node in ast.walk(new) if isinstance(node, ast.Name)}
    return None if asked.is_lost or names & {*routers, *routes} else ast.unparse(ast.fix_missing_locations(new))


class _Asked(ast.NodeTransformer):
    def __init__(self, routers: Set[str], routes: Mapping[str, tuple[str, str]], *, is_only: bool) -> None:
        self._routers, self._routes, self._is_only = routers, routes, is_only
        self.is_lost = False

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and self._is_ours(call.func.value):
            name = call.func.attr
            if name in ("assert_called", "assert_called_once"):
                return _statement(f"assert {self._count(call.func.value)} {'== 1' if name.endswith('once') else '> 0'}")
            if name == "assert_not_called":
                return _statement(f"assert {self._count(call.func.value)} == 0")
            if name == "assert_call_count" and len(call.args) == 2:
                return _statement(f"assert len({_ALL}) == {ast.unparse(call.args[1])}") if self._is_only else node
        self.generic_visit(node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if self._is_ours(node.value):
            if node.attr in ("called", "call_count"):
                return _expression(self._count(node.value) if node.attr == "call_count" else self._asked(node.value))
            if node.attr in _CALLS and (self._is_only or self._is_router(node.value)):
                return _expression(_ALL)
            if node.attr in _LAST and (self._is_only or self._is_router(node.value)):
                return _expression(f"{_ALL}[-1]")
        self.generic_visit(node)
        text = ast.unparse(node.value)
        if text == _ALL and node.attr in ("last", "call_count"):
            return _expression(f"{_ALL}[-1]" if node.attr == "last" else f"len({_ALL})")
        if text.startswith(f"{_ALL}[") and text.endswith("]"):
            if node.attr == "request":
                return node.value
            self.is_lost = self.is_lost or node.attr not in (*_KEPT, *_BODIES)
            return ast.Attribute(node.value, _BODIES.get(node.attr, node.attr), node.ctx)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        held, key = node.value, node.slice
        is_header = isinstance(held, ast.Attribute) and held.attr == "headers" and ast.unparse(held).startswith(_ALL)
        if is_header and isinstance(key, ast.Constant):
            return ast.Subscript(held, ast.Constant(str(key.value).lower()), node.ctx)
        return node

    def _is_router(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self._routers

    def _is_ours(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and (node.id in self._routers or node.id in self._routes)

    def _asked(self, node: ast.expr) -> str:
        known = self._routes.get(node.id) if isinstance(node, ast.Name) else None
        return f"({quoted(known[0])}, {known[1]}) in {COUNTED}" if known else f"len({_ALL}) > 0"

    def _count(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Name) or node.id not in self._routes:
            return f"len({_ALL})"
        method, path = self._routes[node.id]
        return f"{COUNTED}.count(({quoted(method)}, {path}))"


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _statement(text: str) -> ast.stmt:
    return ast.parse(text).body[0]
