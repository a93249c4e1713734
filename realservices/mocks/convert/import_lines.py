"""The imports of a converted file: what it needs now is added, what only its mocks needed goes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import libcst as cst

from realservices.mocks.convert.code_parts import used_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_KNOWN = ("asyncpg", "psycopg", "psycopg2", "pytest", "redis", "sqlalchemy", "sqlmodel")


def mend_imports(before: str, after: str, wanted: Iterable[str]) -> str:
    """Return a file's text with imports that fit.

    Args:
        before: The file as it was.
        after: The file as it is now.
        wanted: Lines of import that are to be there.
    """
    unused = used_names(before) - used_names(after)
    module = cst.parse_module(after).visit(_Remover(unused))
    used = used_names(after)
    missing = [line for line in sorted(wanted) if line.split()[-1].split(".")[0] in used and not _has(module, line)]
    text = _with_lines(module, missing).code if missing else module.code
    return text if before[:1] in ("\n", "\r") else text.lstrip("\r\n")


class _Remover(cst.CSTTransformer):
    """Removes imports of names that nothing reads any more."""

    def __init__(self, unused: set[str]) -> None:
        super().__init__()
        self._unused = unused

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom | cst.RemovalSentinel:
        del original_node
        if isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        kept = [each for each in updated_node.names if _bound(each) not in self._unused]
        if len(kept) == len(updated_node.names):
            return updated_node
        return _without(updated_node, kept) if kept else cst.RemoveFromParent()

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import | cst.RemovalSentinel:
        del original_node
        kept = [each for each in updated_node.names if _bound(each) not in self._unused]
        if len(kept) == len(updated_node.names):
            return updated_node
        if not kept:
            return cst.RemoveFromParent()
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return updated_node.with_changes(names=kept)


def _without(node: cst.ImportFrom, kept: list[cst.ImportAlias]) -> cst.ImportFrom:
    if node.lpar is None:
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return node.with_changes(names=kept)


def _bound(alias: cst.ImportAlias) -> str:
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    node: cst.BaseExpression = alias.name
    while isinstance(node, cst.Attribute):
        node = node.value
    return node.value if isinstance(node, cst.Name) else ""


def _has(module: cst.Module, line: str) -> bool:
    wanted = cst.parse_statement(line)
    if not isinstance(wanted, cst.SimpleStatementLine):
        return False
    first = wanted.body[0]
    for statement in module.body:
        for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
            if _gives(small, first):
                return True
    return False


def _gives(small: cst.BaseSmallStatement, wanted: cst.BaseSmallStatement) -> bool:
    if isinstance(small, cst.Import) and isinstance(wanted, cst.Import):
        return any(each.deep_equals(wanted.names[0].with_changes(comma=each.comma)) for each in small.names)
    if not isinstance(small, cst.ImportFrom) or not isinstance(wanted, cst.ImportFrom):
        return False
    if isinstance(small.names, cst.ImportStar) or isinstance(wanted.names, cst.ImportStar):
        return False
    if small.module is None or wanted.module is None or not small.module.deep_equals(wanted.module):
        return False
    return _bound(wanted.names[0]) in map(_bound, small.names)


def _with_lines(module: cst.Module, lines: list[str]) -> cst.Module:
    """Put imports beside those that are there: the standard library's first, then others, the project's own last."""
    body = list(module.body)
    for line in lines:
        statement = cst.parse_statement(line)
        if (merged := _merged(body, statement)) is not None:
            body[merged[0]] = merged[1]
            continue
        imports = [at for at, each in enumerate(body) if _is_import(each)]
        if not imports:
            at = 1 if body and _is_text(body[0]) else 0
            body.insert(at, statement)
            continue
        at = _place(body, imports, line)
        before = getattr(body[at], "leading_lines", ()) if at in imports else ()
        follows = at - 1 in imports and _root(body[at - 1]) in _KNOWN and _root_of(line) in _KNOWN
        body.insert(at, statement.with_changes(leading_lines=() if follows else before))
        if at not in imports:
            continue
        following = _root(body[at + 1])
        if before and not follows and (following in _KNOWN or _root_of(line) in sys.stdlib_module_names):
            body[at + 1] = body[at + 1].with_changes(leading_lines=())
        elif not before and following not in (*_KNOWN, *sys.stdlib_module_names):
            body[at + 1] = body[at + 1].with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    return module.with_changes(body=body)


def _merged(body: Sequence[cst.BaseStatement], wanted: cst.BaseStatement) -> tuple[int, cst.SimpleStatementLine] | None:
    """Return where a file imports from the same module in one line, and that line with what is wanted."""
    new = wanted.body[0] if isinstance(wanted, cst.SimpleStatementLine) else None
    for at, each in enumerate(body):
        if not isinstance(each, cst.SimpleStatementLine) or len(each.body) != 1:
            continue
        old = each.body[0]
        if not isinstance(old, cst.ImportFrom) or not isinstance(new, cst.ImportFrom) or old.module is None:
            continue
        if isinstance(old.names, cst.ImportStar) or isinstance(new.names, cst.ImportStar) or new.module is None:
            continue
        if old.lpar is None and not old.relative and old.module.deep_equals(new.module):
            plain = [alias.with_changes(comma=cst.MaybeSentinel.DEFAULT) for alias in (*old.names, *new.names)]
            return at, each.with_changes(body=[old.with_changes(names=plain)])
    return None


def _place(body: Sequence[cst.BaseStatement], imports: list[int], line: str) -> int:
    root = _root_of(line)
    if root in sys.stdlib_module_names:
        return imports[0]
    others = [at for at in imports if _root(body[at]) not in sys.stdlib_module_names]
    if root in _KNOWN and others:
        if line.startswith("import "):
            return next((at for at in others if not _comes_before(body[at], line)), others[-1] + 1)
        return next((at for at in others if _root(body[at]) not in _KNOWN), others[-1] + 1)
    return imports[-1] + 1


def _comes_before(statement: cst.BaseStatement, line: str) -> bool:
    text = cst.Module([]).code_for_node(statement).strip()
    return text.startswith("import ") and text < line


def _root_of(line: str) -> str:
    return line.split()[1].split(".")[0]


def _root(statement: cst.BaseStatement) -> str:
    return cst.Module([]).code_for_node(statement).split()[1].split(".")[0] if _is_import(statement) else ""


def _is_import(statement: cst.BaseStatement) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine):
        return False
    first = statement.body[0]
    if isinstance(first, cst.ImportFrom) and isinstance(first.module, cst.Name) and first.module.value == "__future__":
        return False
    return isinstance(first, cst.Import | cst.ImportFrom)


def _is_text(statement: cst.BaseStatement) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine) or not isinstance(statement.body[0], cst.Expr):
        return False
    return isinstance(statement.body[0].value, cst.SimpleString | cst.ConcatenatedString)
