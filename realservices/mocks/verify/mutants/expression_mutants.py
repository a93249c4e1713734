"""Changes of expressions: comparisons, operators, constants, texts, awaited calls and chains of a query."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from realservices.mocks.verify.mutants import calls
from realservices.mocks.verify.mutants.literals import Literal, prefixed
from realservices.mocks.verify.mutants.mutant_model import Change, Edit
from realservices.mocks.verify.mutants.redis import redis_changes
from realservices.mocks.verify.mutants.sql import sql_changes
from realservices.mocks.verify.mutants.sql_tokens import is_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.verify.mutants.mutant_model import Found, Source

_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: (r"is\s+not", "is"),
    ast.In: ("in", "not in"), ast.NotIn: (r"not\s+in", "in"),
}  # fmt: skip
# Their opposites are what a negated condition is.
_NEGATABLE = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: (r"\+", "-"), ast.Sub: ("-", "+"), ast.Mult: (r"\*", "/"), ast.Div: ("/", "*"),
}  # fmt: skip
_CHAINS = {
    "where": Change.SQL_WHERE, "filter": Change.SQL_WHERE, "filter_by": Change.SQL_WHERE, "having": Change.SQL_WHERE,
    "order_by": Change.SQL_ORDER, "limit": Change.SQL_LIMIT, "distinct": Change.SQL_DISTINCT,
    "on_conflict_do_nothing": Change.SQL_CONFLICT, "on_conflict_do_update": Change.SQL_CONFLICT,
    "returning": Change.SQL_RETURNING,
}  # fmt: skip


def expression_changes(source: Source, node: ast.expr, *, is_condition: bool = False) -> Iterator[Found]:
    """Yield the changes of an expression and of all in it.

    Args:
        source: The file.
        node: The expression.
        is_condition: It is what an `if` or a `while` decides by, which is negated as a whole.
    """
    if calls.is_logging(node) or (isinstance(node, ast.Call) and calls.is_typing(node)):
        return
    yield from _own_changes(source, node, is_condition)
    if isinstance(node, ast.JoinedStr):
        return  # In Python 3.11 what is in it has no place of its own.
    for child in _parts(node):
        yield from expression_changes(source, child)


def _parts(node: ast.AST) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, ast.keyword | ast.comprehension | ast.arguments):
            yield from (each for each in _parts(child))


def _own_changes(source: Source, node: ast.expr, is_condition: bool) -> Iterator[Found]:
    match node:
        case ast.Constant() | ast.JoinedStr():
            yield from _constant(source, node)
        case ast.Compare():
            yield from _comparison(source, node, is_condition)
        case ast.BoolOp() | ast.BinOp():
            yield from _operator(source, node)
        case ast.IfExp():
            yield Change.CONDITION_NEGATED, negated(source, node.test)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            for test in (test for generator in node.generators for test in generator.ifs):
                yield Change.CONDITION_NEGATED, negated(source, test)
        case ast.Await(value=ast.Call()):
            yield Change.CALL_DROPPED, source.replaced(node, "None")
        case ast.Call():
            yield from redis_changes(source, node)
            yield from _chain(source, node)


def negated(source: Source, test: ast.expr) -> tuple[Edit, ...]:
    """Return the edit that turns a condition into its opposite."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return source.replaced(test, source.of(test.operand))
    return source.replaced(test, f"not ({source.of(test)})")


def _constant(source: Source, node: ast.Constant | ast.JoinedStr) -> Iterator[Found]:
    value = node.value if isinstance(node, ast.Constant) else ""
    if isinstance(value, bool):
        yield Change.CONSTANT_CHANGED, source.replaced(node, str(not value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield Change.CONSTANT_CHANGED, source.replaced(node, f"({source.of(node)} + 1)")
    elif isinstance(value, str | bytes):
        literal = Literal(source, node)
        if isinstance(value, str) and is_sql(literal.text):
            yield from sql_changes(literal)
        elif edits := prefixed(source, node, "changed-"):
            yield Change.CONSTANT_CHANGED, edits


def _comparison(source: Source, node: ast.Compare, is_condition: bool) -> Iterator[Found]:
    sides = [node.left, *node.comparators]
    for index, operator in enumerate(node.ops):
        if is_condition and len(node.ops) == 1 and isinstance(operator, _NEGATABLE):
            continue
        pattern, opposite = _COMPARISONS[type(operator)]
        if edits := _between(source, sides[index], sides[index + 1], pattern, opposite):
            yield Change.COMPARISON_CHANGED, edits


def _operator(source: Source, node: ast.BoolOp | ast.BinOp) -> Iterator[Found]:
    if isinstance(node, ast.BoolOp):
        words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        edits = _between(source, node.values[0], node.values[1], *words)
    elif type(node.op) in _OPERATORS and not any(map(_is_text, (node.left, node.right))):
        edits = _between(source, node.left, node.right, *_OPERATORS[type(node.op)])
    else:
        return
    if edits:
        yield Change.OPERATOR_CHANGED, edits


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _between(source: Source, left: ast.expr, right: ast.expr, pattern: str, text: str) -> tuple[Edit, ...]:
    """Return the edit of an operator, which stands between two expressions, perhaps with parentheses and comments."""
    start, end = source.span(left)[1], source.span(right)[0]
    between = source.text(start, end)
    match = re.search(pattern, re.sub(r"#[^\n]*", lambda comment: " " * len(comment[0].encode()), between))
    if match is None or not between.isascii():
        return ()
    return (Edit(start + match.start(), start + match.end(), text),)


def _chain(source: Source, node: ast.Call) -> Iterator[Found]:
    """Yield a query without one of its links: `select(User).where(…)` without `.where(…)`."""
    change = _CHAINS.get(calls.method(node))
    if change and isinstance(node.func, ast.Attribute) and unwrapped_query(node.func.value):
        yield change, source.replaced(node, source.of(node.func.value))


def unwrapped_query(node: ast.expr) -> bool:
    """Return whether an expression is, or may be, a query of SQLAlchemy's that is being built."""
    if isinstance(node, ast.Call):
        return calls.method(node) in ("select", "insert", "update", "delete", "query", "join", "values", *_CHAINS)
    return isinstance(node, ast.Name) and node.id in ("query", "statement", "stmt", "q", "sql")
