"""What a call is: of which name, on what, and whether leaving it out changes anything that a test should notice."""

from __future__ import annotations

import ast
import re

_LOGGERS = re.compile(r"(?:^|_)(?:log|logger|logging|warnings|audit_log)$", re.IGNORECASE)
_LOG_METHODS = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log"}
_VERBS = """
    execute executemany fetch fetchrow fetchval fetchone fetchall fetchmany scalar scalars query command insert
"""
CLIENT_VERBS = frozenset(_VERBS.split())
"""Methods of database clients."""


def unwrapped(node: ast.AST) -> ast.Call | None:
    """Return the call that an expression is, awaited or not."""
    if isinstance(node, ast.Await):
        node = node.value
    return node if isinstance(node, ast.Call) else None


def method(call: ast.Call) -> str:
    """Return the last part of the called name, "" where it has none."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def receiver(call: ast.Call) -> str:
    """Return the last part of the name of what a method is called on: "redis" of `self.redis.get(…)`."""
    node = call.func.value if isinstance(call.func, ast.Attribute) else None
    if isinstance(node, ast.Call):
        return method(node)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_logging(node: ast.AST) -> bool:
    """Return whether a call only tells people something."""
    call = unwrapped(node)
    if call is None:
        return False
    if isinstance(call.func, ast.Name):
        return call.func.id == "print"
    return bool(_LOGGERS.search(receiver(call))) and method(call) in _LOG_METHODS


def is_typing(call: ast.Call) -> bool:
    """Return whether a call makes a type: its strings are names for people."""
    return method(call) in ("TypeVar", "ParamSpec", "TypeVarTuple", "NewType", "cast", "getLogger", "get_logger")
