"""All mutants of a file, in the order of the text."""

from __future__ import annotations

import ast
import itertools
from typing import TYPE_CHECKING

from realservices.mocks.verify.mutants import calls
from realservices.mocks.verify.mutants.expression_mutants import expression_changes
from realservices.mocks.verify.mutants.mutant_model import Mutant, Source, applied
from realservices.mocks.verify.mutants.statement_mutants import handler_changes, statement_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from realservices.mocks.verify.mutants.mutant_model import Found

_SKIPPED_STATEMENTS = (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Pass, ast.Assert)
_SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "type_params", "bases", "targets", "target", "cause"}
_NAMES_FOR_TOOLS = {"__all__", "__slots__", "__version__", "__author__", "__tablename__"}
_NO_MUTANTS = b"pragma: no mutate"


def mutants_of(
    path: str, content: bytes, is_reached: Callable[[tuple[int, int]], bool] = lambda _: True
) -> list[Mutant]:
    """Return a file's mutants that parse, each different.

    Args:
        path: The file, relative to the project.
        content: What is in it.
        is_reached: Whether any of some lines, from the first to the last one, is wanted. All by default.

    Raises:
        SyntaxError: It is not Python in UTF-8.
    """
    source = Source(path, content)
    lines = content.splitlines()
    found: list[Mutant] = []
    # To parse all of a large file for each mutant would take longer than to run the tests.
    for statement in source.tree.body:
        start, end = source.span(statement)
        seen = {content[start:end]}
        reached = (mutant for mutant in _block(source, [statement]) if is_reached(mutant.lines))
        for mutant in sorted(reached, key=lambda each: (each.edits[0].start, each.edits)):
            text = applied(content[start:end], mutant.edits, start)
            if _NO_MUTANTS not in lines[mutant.line - 1] and text not in seen and _compiles(text):
                seen.add(text)
                found.append(mutant)
    return found


def _compiles(statement: bytes) -> bool:
    try:
        compile(statement, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _block(source: Source, statements: Iterable[ast.stmt]) -> Iterator[Mutant]:
    for node in statements:
        if not _is_skipped(node):
            yield from _statement(source, node)


def _statement(source: Source, node: ast.stmt) -> Iterator[Mutant]:
    lines = _header(node)
    yield from _mutants(source, lines, itertools.chain(statement_changes(source, node), _expressions(source, node)))
    for block in _blocks(node):
        yield from _block(source, block)
    if isinstance(node, ast.Try):
        for handler in node.handlers:
            reached = (handler.lineno, max(handler.lineno, handler.body[0].lineno - 1))
            yield from _mutants(source, reached, handler_changes(source, handler))
    if isinstance(node, ast.Match):
        for case in node.cases:
            yield from _block(source, case.body)


def _mutants(source: Source, lines: tuple[int, int], found: Iterable[Found]) -> Iterator[Mutant]:
    for change, edits in found:
        line = source.line_of(edits[0].start)
        yield Mutant(path=source.path, line=line, lines=lines, change=change, edits=edits)


def _expressions(source: Source, node: ast.stmt) -> Iterator[Found]:
    if isinstance(node, ast.Raise) or calls.is_logging(getattr(node, "value", node)):
        return  # Messages are for people.
    is_condition = isinstance(node, ast.If | ast.While)
    for expression in _own_expressions(node):
        # As a statement of its own it is removed as a whole.
        if isinstance(node, ast.Expr) and isinstance(expression, ast.Await):
            expression = expression.value
        yield from expression_changes(source, expression, is_condition=is_condition)


def _own_expressions(node: ast.AST) -> Iterator[ast.expr]:
    for name, value in ast.iter_fields(node):
        if name in _SKIPPED_FIELDS:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.expr):
                yield child
            elif isinstance(child, ast.arguments | ast.withitem | ast.keyword):
                yield from _own_expressions(child)


def _blocks(node: ast.stmt) -> list[list[ast.stmt]]:
    blocks = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
    handlers = [handler.body for handler in getattr(node, "handlers", [])]
    return [*blocks, *handlers]


def _header(node: ast.stmt) -> tuple[int, int]:
    """Return the lines that are reached with the statement itself, and not with what is in it."""
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    if not body:
        return node.lineno, node.end_lineno or node.lineno
    first = body[0].lineno if isinstance(body[0], ast.stmt) else body[0].pattern.lineno
    return node.lineno, max(node.lineno, first - 1)


def _is_skipped(node: ast.stmt) -> bool:
    if isinstance(node, _SKIPPED_STATEMENTS):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If):
        return _is_for_tools(node.test)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(target, ast.Name) and target.id in _NAMES_FOR_TOOLS for target in targets)
    return isinstance(node, ast.FunctionDef) and node.name == "__repr__"


def _is_for_tools(test: ast.expr) -> bool:
    """Return whether a condition is `TYPE_CHECKING` or `__name__ == "__main__"`."""
    names = {each.id for each in ast.walk(test) if isinstance(each, ast.Name)}
    names |= {each.attr for each in ast.walk(test) if isinstance(each, ast.Attribute)}
    return "TYPE_CHECKING" in names or "__name__" in names
