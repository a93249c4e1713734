"""What a function's names stand for, and what its mocks have been told: the ground on which it is read."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.mocks.convert import mock_paths
from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.mock_checks import shown
from realservices.mocks.convert.mock_paths import CALLED, Fact, Kind
from realservices.mocks.convert.project_modules import full_name
from realservices.mocks.convert.test_facts import Check, Fake, Function, FunctionEdits, Mock
from realservices.mocks.scan_model import Form, MockUse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.mocks.convert.project_modules import Module
    from realservices.mocks.convert.test_facts import Reading
    from realservices.mocks.convert.test_reading import TestReader

_PATCHERS = ("patch", "patch.object", "patch.dict", "patch.multiple")


@dataclass(frozen=True, slots=True)
class Bound:
    """What a name stands for: a mock, or a part of one."""

    mock: Mock
    prefix: tuple[str, ...] = ()


class ToldFacts:
    """Names and mocks of one function.

    Args:
        reader: The file's reader.
        module: Where the function stands.
        function: A fixture or a test.
        reading: The test that is read.
        exported: What fixtures before this one give, by name.
        is_fixture: Whether it is a fixture.
    """

    def __init__(
        self, reader: TestReader, module: Module, function: Function, reading: Reading,
        exported: dict[str, Bound], *, is_fixture: bool,
    ) -> None:  # fmt: skip
        self._reader, self._module, self._function, self._reading = reader, module, function, reading
        self._is_fixture = is_fixture
        self._imports = module.imports
        self.edits = reading.edit(function) if module is reader._module else FunctionEdits()
        arguments = {each.arg for each in function.args.args}
        self.bound = {name: each for name, each in exported.items() if name in arguments or name.startswith("self.")}
        self._given = dict(self.bound)
        self._values: dict[str, list[Fact]] = {}
        # Names for arguments that a mock was called with: mock and path.
        self._looked: dict[str, tuple[Mock, tuple[str, ...]]] = {}
        # Calls that make a mock without a name, where one is handed over.
        self._handed: set[int] = set()

    def _patcher(self, call: ast.Call) -> str:
        name = full_name(call.func, self._imports)
        for prefix in ("unittest.mock.", "mock.", "mocker."):
            name = name.removeprefix(prefix)
        return name

    def _is_patch(self, call: ast.Call) -> bool:
        return self._patcher(call) in _PATCHERS and full_name(call.func, self._imports) not in _PATCHERS

    def _note_fakes(self, node: ast.AST) -> None:
        line = getattr(node, "lineno", 0)
        for use in self._reader.uses_in(self._module, line):
            is_fake = use.form in (Form.FAKE_LIBRARY, Form.FAKE_CLASS, Form.SQLITE) and not use.stays
            is_here = use.column == getattr(node, "col_offset", -1)
            if is_fake and is_here and all(fake.use != use for fake in self._reading.fakes):
                is_foreign = self._module is not self._reader._module
                self._reading.fakes.append(Fake(use, node, self._function, is_foreign))

    def _make(self, name: str, call: ast.expr) -> Mock | None:
        use = self._use(call)
        if use is None or self._reader.is_kept(use) or not isinstance(call, ast.Call):
            return None
        is_async = "AsyncMock" in ast.unparse(call.func)
        mock = Mock(name, use, is_async=is_async, line=call.lineno, path=str(self._module.path))
        mock.spec = mock_paths.spec_of_maker(call, self._imports)
        self._reading.mocks.append(mock)
        self._add(mock, mock_paths.facts_of_maker(call, self._imports), ())
        return mock

    def _add(self, mock: Mock, facts: Iterable[Fact], prefix: tuple[str, ...]) -> None:
        for fact in facts:
            self._take(Bound(mock, prefix), fact)

    def _take(self, bound: Bound, fact: Fact) -> None:
        """Add a fact, or those of the mock that its value is; a later one about the same replaces an earlier one."""
        fact = fact.below(bound.prefix)
        value = fact.value
        inner = self._lookup(value) if isinstance(value, ast.Name | ast.Attribute) else None
        path = (*fact.path, CALLED) if fact.kind is Kind.RETURNS and fact.path[-1:] != ("with",) else fact.path
        if inner is not None:
            self._graft(inner, bound.mock, path)
            return
        opened = list(mock_paths.opened(fact, self._imports))
        for each in opened:
            self._check_order(bound.mock, each)
            bound.mock.facts = [
                old for old in bound.mock.facts if not (old.path == each.path and old.kind is each.kind)
            ]
            bound.mock.facts.append(self._with_record(each))

    def _check_order(self, mock: Mock, fact: Fact) -> None:
        """Raise for an answer that takes another's place when the code has been called meanwhile."""
        first = self._function.lineno
        lines = [old.line for old in mock.facts if old.path == fact.path and old.kind is fact.kind]
        for line in lines if self._function is self._reading.test else ():
            if any(first < line < called < fact.line for called in self._reading.called):
                raise Unconvertible(
                    fact.line, shown(fact.value), "the mock's answers change in the middle of the test",
                    "make it two tests, or write its steps by hand",
                )  # fmt: skip

    def _with_record(self, fact: Fact) -> Fact:
        """Return a fact whose value is a mock of a row with the row itself."""
        if isinstance(fact.value, ast.Name) and fact.value.id in self._values:
            parts = [each for each in self._values[fact.value.id] if len(each.path) == 1 and each.kind is Kind.IS]
            if parts:
                keys: list[ast.expr | None] = [ast.Constant(each.path[0]) for each in parts]
                value = ast.copy_location(ast.Dict(keys, [each.value for each in parts]), fact.value)
                return Fact(fact.path, fact.kind, value, fact.line)
        return fact

    def _graft(self, inner: Bound, outer: Mock, path: tuple[str, ...]) -> None:
        """Make a mock a part of another one: `pool.acquire.return_value = connection`."""
        part = inner.mock
        if part is outer:
            return
        outer.parts += [part.use.service, *part.parts]
        outer.facts += [fact.below(path) for fact in part.facts]
        for check in part.checks:
            outer.checks.append(
                Check(path=path + check.path, word=check.word, times=check.times, arguments=check.arguments,
                      keywords=check.keywords, line=check.line)
            )  # fmt: skip
        outer.is_async = outer.is_async or part.is_async
        if part in self._reading.mocks:
            self._reading.mocks.remove(part)
            self._reading.grafted.append(part)
        for name, bound in list(self.bound.items()):
            if bound.mock is part:
                self.bound[name] = Bound(outer, path + bound.prefix)
        outer.facts.append(Fact((*path, ""), Kind.IS, ast.Constant(None), part.line))

    def _lookup(self, node: ast.expr) -> Bound | None:
        found = mock_paths.chain(node)
        if found is None or found[0] not in self.bound:
            return None
        bound = self.bound[found[0]]
        part = mock_paths.normal(found[1])
        return Bound(bound.mock, bound.prefix + part) if part is not None else None

    def _use(self, node: ast.AST) -> MockUse | None:
        line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
        uses = [use for use in self._reader.uses_in(self._module, line) if use.form is not Form.FAKE_CLASS]
        return min(uses, key=lambda use: abs(use.column - column), default=None)

    def _refusal(self, node: ast.AST, why: str, remedy: str) -> Unconvertible:
        return Unconvertible(getattr(node, "lineno", 0), shown(node), why, remedy)
