"""Fakes that a file makes at its top: an engine on SQLite with its sessionmaker, a `fakeredis` client.

Tests and fixtures that name them take the isolated fixture; what is done to an engine at the top, such as `create_all`,
comes first in them. When nothing in the file names the fake any more, it goes.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.fake_plan import fixture_for
from realservices.mocks.convert.test_facts import Fake
from realservices.mocks.scan_model import Form, MockUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from realservices.mocks.convert.project_modules import Module
    from realservices.mocks.convert.test_facts import Function, Reading
    from realservices.mocks.convert.test_plan import TestPlan

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_HAND = "use the isolated fixture in its place"


@dataclass(slots=True)
class ModuleFakes:
    """The fakes at the top of a file.

    Attributes:
        module: The file.
        uses: What the scan says of each, by name.
        values: What each name is assigned: the fake itself, or what is made of it.
        prepared: Statements at the top that do something with one of them.
    """

    module: Module
    uses: dict[str, MockUse] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)
    prepared: list[ast.stmt] = field(default_factory=list)

    def named_in(self, function: ast.AST) -> set[str]:
        """Return the names of fakes, and of what is made of them, that a function reads."""
        nodes = list(ast.walk(function))
        bound = {node.arg for node in nodes if isinstance(node, ast.arg)}
        bound |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        return ({node.id for node in nodes if isinstance(node, ast.Name)} & self.values.keys()) - bound


def fakes_at_top(module: Module, uses: Sequence[MockUse]) -> ModuleFakes:
    """Return the fakes that a file makes at its top.

    Args:
        module: The file.
        uses: What the scan has found in it.
    """
    found = ModuleFakes(module)
    known = {
        use.line: use
        for use in uses
        if not use.scope and not use.stays and use.form in (Form.SQLITE, Form.FAKE_LIBRARY)
    }
    for statement in module.tree.body if known else ():
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        value = statement.value if isinstance(statement, ast.Assign) else None
        if isinstance(target, ast.Name) and isinstance(value, ast.Call):
            use = known.get(statement.lineno)
            if use is not None and use.column == value.col_offset:
                found.uses[target.id], found.values[target.id] = use, value
            elif found.named_in(value):
                found.values[target.id] = value
        elif isinstance(statement, ast.Expr) and found.named_in(statement):
            found.prepared.append(statement)
    return found


def check_foreign(fakes: ModuleFakes, functions: Iterable[Function]) -> None:
    """Check that no fixture of another file names a fake that is made at the top there.

    Raises:
        Unconvertible: One does: its file would have to be changed.
    """
    for function in functions:
        for name in sorted(fakes.named_in(function)):
            use = next((fakes.uses[each] for each in _roots(name, fakes)), None)
            why = f"{fakes.module.path.name} makes a fake of {use.service.value if use else 'a service'} for all tests"
            raise Unconvertible(function.lineno, name, why, f"{_HAND}, in {fakes.module.path.name}")


def plan_module_fakes(fakes: ModuleFakes, reading: Reading, plan: TestPlan) -> list[tuple[Function, str]]:
    """Have a test take fixtures for the fakes that it names; return what its fixtures take.

    Raises:
        Unconvertible: A fake has no counterpart, or is named where no fixture can be taken.
    """
    taken: list[tuple[Function, str]] = []
    for function in (reading.test, *(each.node for each in reading.fixtures if each.module is fakes.module)):
        for name in sorted(fakes.named_in(function)):
            _check_helpers(fakes, name)
            plan.reading.edit(function).removed |= _flushes(function, name)
            fixture = _fixture(name, fakes)
            plan.services.add("redis" if "redis" in fixture else "postgres")
            if function is not reading.test:
                taken.append((function, name))
                continue
            plan.take(fixture)
            plan.setup += [line for line in _preparations(name, fakes) if line not in plan.setup]
            plan.reading.edit(function).renames[name] = _expression(name, fakes)
    return taken


def edit_takers(taken: Sequence[tuple[Function, str]], fakes: ModuleFakes, plan: TestPlan) -> None:
    """Have fixtures of a test take the isolated ones for fakes.

    Raises:
        Unconvertible: One lives longer than a test.
    """
    scopes = {each.node: each.scope for each in plan.reading.fixtures}
    for function, name in taken:
        if scopes[function] != "function":
            why = f"the fixture's scope is {scopes[function]}"
            raise Unconvertible(function.lineno, function.name, why, "make it a fixture of one test")
        edits = plan.reading.edit(function)
        edits.renames[name] = _expression(name, fakes)
        edits.arguments = list(dict.fromkeys([*edits.arguments, _fixture(name, fakes)]))
        edits.top += [line for line in _preparations(name, fakes) if line not in edits.top]


def _flushes(function: Function, name: str) -> set[int]:
    """Return the lines that empty a fake: the database is the test's own, and empty."""
    nodes = (node for node in ast.walk(function) if isinstance(node, ast.Expr))
    return {node.lineno for node in nodes if ast.unparse(node).removeprefix("await ") == f"{name}.flushall()"}


def _roots(name: str, fakes: ModuleFakes) -> list[str]:
    """Return the fakes that a name is, or is made of."""
    if name in fakes.uses:
        return [name]
    return [root for inner in fakes.named_in(fakes.values[name]) - {name} for root in _roots(inner, fakes)]


def _fixture(name: str, fakes: ModuleFakes) -> str:
    roots = _roots(name, fakes)
    use = fakes.uses[roots[0]]
    if len(set(roots)) > 1:
        raise Unconvertible(use.line, name, "it is made of several fakes", _HAND)
    test = next(each for each in ast.walk(fakes.module.tree) if isinstance(each, _FUNCTIONS))
    return fixture_for(Fake(use, fakes.values[roots[0]], test, is_foreign=False))


def _expression(name: str, fakes: ModuleFakes) -> str:
    return _fixture(name, fakes) if name in fakes.uses else _placed(fakes.values[name], fakes)


def _placed(node: ast.AST, fakes: ModuleFakes) -> str:
    tree = ast.parse(ast.unparse(node))
    for inner in ast.walk(tree):
        if isinstance(inner, ast.Name) and inner.id in fakes.values:
            inner.id = _expression(inner.id, fakes)
    return ast.unparse(tree)


def _preparations(name: str, fakes: ModuleFakes) -> list[str]:
    roots = set(_roots(name, fakes))
    return [_placed(each, fakes) for each in fakes.prepared if roots & fakes.named_in(each)]


def _check_helpers(fakes: ModuleFakes, name: str) -> None:
    """Raise where something that can take no fixture names a fake."""
    takers = [node for node in ast.walk(fakes.module.tree) if _takes_fixtures(node)]
    inside = {inner for taker in takers for inner in ast.walk(taker)}
    for each in ast.walk(fakes.module.tree):
        if isinstance(each, _FUNCTIONS) and each not in inside and name in fakes.named_in(each):
            why = f"{each.name} names it, which is neither a test nor a fixture"
            raise Unconvertible(each.lineno, name, why, "have a fixture give what it gives")


def _takes_fixtures(node: ast.AST) -> bool:
    is_function = isinstance(node, _FUNCTIONS)
    decorators = [ast.unparse(each) for each in node.decorator_list] if isinstance(node, _FUNCTIONS) else []
    is_test = isinstance(node, _FUNCTIONS) and node.name.startswith("test")
    return is_function and (is_test or any("fixture" in each for each in decorators))


def without_unused(text: str, fakes: ModuleFakes) -> str:
    """Return a file's text without fakes at its top that nothing names any more."""
    kept = {ast.unparse(each) for each in fakes.prepared}
    kept |= {f"{name} = {ast.unparse(value)}" for name, value in fakes.values.items()}
    tree = ast.parse(text)
    own = [each for each in tree.body if ast.unparse(each) in kept]
    others = [each for each in tree.body if each not in own]
    if not own or any(fakes.named_in(each) for each in others):
        return text
    lines = text.splitlines(keepends=True)
    for each in reversed(own):
        first, end = each.lineno - 1, each.end_lineno or each.lineno
        while end < len(lines) and not lines[end].strip() and not any(map(str.strip, lines[max(first - 2, 0) : first])):
            end += 1  # Two lines between two parts, and no more.
        del lines[first:end]
    return "".join(lines)


def with_plain_gap(text: str) -> str:
    """Return a file's text with two lines, and no more, before its first function or class."""
    first = next((each for each in ast.parse(text).body if isinstance(each, _FUNCTIONS | ast.ClassDef)), None)
    if first is None:
        return text
    start = min([first.lineno, *(each.lineno for each in first.decorator_list)]) - 1
    lines = text.splitlines(keepends=True)
    while start > 3 and not any(map(str.strip, lines[start - 3 : start])):
        start -= 1
        del lines[start]
    return "".join(lines)
