"""Changes of statements: removed, negated, without their value, and exceptions that are swallowed or not handled."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.verify.mutants import calls
from realservices.mocks.verify.mutants.expression_mutants import negated
from realservices.mocks.verify.mutants.mutant_model import Change, Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.verify.mutants.mutant_model import Found, Source

_TRANSACTIONS = ("transaction", "begin", "begin_nested", "atomic")


def statement_changes(source: Source, node: ast.stmt) -> Iterator[Found]:
    """Yield the changes of a statement itself, without those of its expressions and of what is in it."""
    match node:
        case ast.Expr():
            yield from _expression(source, node)
        case ast.AugAssign() | ast.Delete():
            yield Change.STATEMENT_REMOVED, source.replaced(node, "pass")
        case ast.Raise():
            yield Change.EXCEPTION_SWALLOWED, source.replaced(node, "pass")
        case ast.Assign() | ast.AnnAssign():
            yield from _assignment(source, node)
        case ast.Return():
            yield from _return(source, node)
        case ast.If() | ast.While():
            yield Change.CONDITION_NEGATED, negated(source, node.test)
        case ast.Break() | ast.Continue():
            other = "continue" if isinstance(node, ast.Break) else "break"
            yield Change.LOOP_CHANGED, source.replaced(node, other)
        case ast.With() | ast.AsyncWith():
            yield from _transaction(source, node)


def handler_changes(source: Source, node: ast.ExceptHandler) -> Iterator[Found]:
    """Yield the changes of an `except`."""
    if not isinstance(node.body[-1], ast.Raise | ast.Pass):
        first, last = source.span(node.body[0])[0], source.span(node.body[-1])[1]
        padding = "\n" * source.content.count(b"\n", first, last)
        yield Change.EXCEPTION_SWALLOWED, (Edit(first, last, f"pass{padding}"),)
    if node.type is not None:
        # An empty tuple is what no exception matches.
        yield Change.EXCEPTION_UNHANDLED, source.replaced(node.type, "()")
    else:
        start = source.span(node)[0] + len("except")
        yield Change.EXCEPTION_UNHANDLED, (Edit(start, start, " ()"),)


def _expression(source: Source, node: ast.Expr) -> Iterator[Found]:
    call = calls.unwrapped(node.value)
    if call is None or calls.is_logging(call):
        return
    if calls.method(call) in ("commit", "acommit"):
        change = Change.COMMIT_DROPPED
    else:
        change = Change.CALL_DROPPED if isinstance(node.value, ast.Await) else Change.STATEMENT_REMOVED
    yield change, source.replaced(node, "pass")


def _assignment(source: Source, node: ast.Assign | ast.AnnAssign) -> Iterator[Found]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if node.value is not None and any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets):
        yield Change.STATEMENT_REMOVED, source.replaced(node, "pass")
    elif isinstance(node.value, ast.Call) and calls.method(node.value) in calls.CLIENT_VERBS:
        yield Change.CALL_DROPPED, source.replaced(node.value, "None")


def _return(source: Source, node: ast.Return) -> Iterator[Found]:
    if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
        return
    if calls.unwrapped(node.value) is None:
        yield Change.RETURN_DROPPED, source.replaced(node, "return None")
        return
    start, end = source.span(node.value)
    value = source.text(start, end)
    # The call is still made. In one line, but for what the call itself is broken into.
    yield Change.RETURN_DROPPED, (Edit(source.span(node)[0], source.span(node)[1], f"{value}; return None"),)
    if isinstance(node.value, ast.Call) and calls.method(node.value) in calls.CLIENT_VERBS:
        yield Change.CALL_DROPPED, source.replaced(node.value, "None")


def _transaction(source: Source, node: ast.With | ast.AsyncWith) -> Iterator[Found]:
    first = node.items[0]
    call = calls.unwrapped(first.context_expr)
    if len(node.items) > 1 or first.optional_vars or call is None or calls.method(call) not in _TRANSACTIONS:
        return
    start, end = source.span(node)[0], source.span(first.context_expr)[1]
    yield Change.TRANSACTION_DROPPED, (Edit(start, end, "if True"),)
