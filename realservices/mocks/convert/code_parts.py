"""Parts of a file as LibCST has them: parameters, bodies, statements from lines of text, names that are read."""

from __future__ import annotations

import ast
import io
import tokenize
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from realservices.mocks.convert.test_facts import FunctionEdits


def parameters(parameters: cst.Parameters, edits: FunctionEdits) -> cst.Parameters:
    """Return the parameters of a function with those that go, and new ones."""
    old = list(parameters.params)
    kept = [each for each in old if each.name.value not in edits.dropped_arguments]
    names = {each.name.value for each in kept}
    new = [cst.Param(cst.Name(name)) for name in edits.arguments if name not in names]
    at = next((place for place, each in enumerate(old) if each.name.value in edits.dropped_arguments), len(kept))
    together = [*kept[:at], *new, *kept[at:]]
    flat = [each.with_changes(comma=cst.MaybeSentinel.DEFAULT) for each in together]
    if together == old:
        flat = old
    is_broken = any(
        isinstance(getattr(each.comma, "whitespace_after", None), cst.ParenthesizedWhitespace) for each in old[:-1]
    )
    if is_broken and together != old:
        comma = next(each.comma for each in old if isinstance(each.comma, cst.Comma))
        flat = [each.with_changes(comma=comma) for each in together[:-1]] + [
            each.with_changes(comma=old[-1].comma) for each in together[-1:]
        ]
    return parameters.with_changes(params=flat)


def body(body: cst.BaseSuite, top: Sequence[str]) -> cst.BaseSuite:
    """Return a function's body with statements that come first."""
    if not top or not isinstance(body, cst.IndentedBlock):
        return body
    statements = list(body.body)
    at = 1 if is_docstring(statements[0]) else 0
    return body.with_changes(body=[*statements[:at], *parsed(top), *statements[at:]])


def leading(statement: cst.BaseStatement) -> Sequence[cst.EmptyLine]:
    """Return the lines before a statement."""
    lines: Sequence[cst.EmptyLine] = getattr(statement, "leading_lines", ())
    return lines


def is_docstring(statement: cst.BaseStatement) -> bool:
    """Return whether a statement is a text by itself."""
    if not isinstance(statement, cst.SimpleStatementLine) or not isinstance(statement.body[0], cst.Expr):
        return False
    return isinstance(statement.body[0].value, cst.SimpleString | cst.ConcatenatedString)


def parsed(lines: Iterable[str]) -> list[cst.BaseStatement]:
    """Return lines as statements; one that is a comment leads the next, or a `pass`."""
    statements: list[cst.BaseStatement] = []
    comments: list[cst.EmptyLine] = []
    for line in lines:
        if line.startswith("#"):
            comments.append(cst.EmptyLine(comment=cst.Comment(line)))
            continue
        statement = cst.parse_statement(in_double_quotes(line))
        statements.append(statement.with_changes(leading_lines=comments) if comments else statement)
        comments = []
    if comments:
        statements.append(cst.parse_statement("pass").with_changes(leading_lines=comments))
    return statements


def in_double_quotes(line: str) -> str:
    """Return a statement with its texts in double quotes, where that takes no escape."""
    tokens = []
    for token in tokenize.generate_tokens(io.StringIO(line).readline):
        text = token.string
        if (
            token.type == tokenize.STRING
            and text.endswith("'")
            and not text.endswith("'''")
            and '"' not in text
            and "\\" not in text
        ):
            text = text.replace("'", '"')
        tokens.append(token._replace(string=text))
    return tokenize.untokenize(tokens)


def used_names(text: str) -> set[str]:
    """Return the names that a file reads, those in annotations that are texts included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            names.add(node.value)
    return names
