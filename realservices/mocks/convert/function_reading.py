"""Read one function, a fixture or a test: statement by statement, what it does with mocks of services."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.mocks.convert import mock_paths
from realservices.mocks.convert.mock_checks import checks_of, ends_in_internal, shown, written
from realservices.mocks.convert.mock_paths import CALLED, Fact, Kind
from realservices.mocks.convert.project import full_name
from realservices.mocks.convert.results import Unconvertible
from realservices.mocks.convert.test_facts import Check, Fake, Function, FunctionEdits, Mock
from realservices.mocks.model import Form, MockUse, Service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.mocks.convert.project import Module
    from realservices.mocks.convert.test_facts import Reading
    from realservices.mocks.convert.test_reading import TestReader

_PATCHERS = ("patch", "patch.object", "patch.dict", "patch.multiple")


@dataclass(frozen=True, slots=True)
class Bound:
    """What a name stands for: a mock, or a part of one."""

    mock: Mock
    prefix: tuple[str, ...] = ()


class FunctionReader:
    """Reads one function: a fixture or the test."""

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
        self._values: dict[str, list[Fact]] = {}
        # Names for arguments that a mock was called with: mock and path.
        self._looked: dict[str, tuple[Mock, tuple[str, ...]]] = {}

    def read(self) -> None:
        """Read it.

        Raises:
            Unconvertible: It does something that has no counterpart on real services.
        """
        self._read_decorators()
        self._read_block(self._function.body)
        if self._module is not self._reader._module:
            return
        self._reading.by_function[self._function.lineno] = {
            name: bound.mock for name, bound in self.bound.items() if not bound.prefix
        }

    def exported(self) -> Bound | None:
        """Return the mock that a fixture gives its tests."""
        for node in ast.walk(self._function):
            value = node.value if isinstance(node, ast.Return | ast.Yield) else None
            if isinstance(value, ast.Name | ast.Attribute) and (bound := self._lookup(value)):
                return bound
            if value is not None and mock_paths.is_maker(value, self._imports):
                mock = self._make("", value)
                return Bound(mock) if mock else None
        return None

    # Decorators and context managers.

    def _read_decorators(self) -> None:
        free = [each.arg for each in self._function.args.args if each.arg != "self"]
        for decorator in reversed(self._function.decorator_list):
            if not isinstance(decorator, ast.Call) or not self._is_patch(decorator):
                self._note_fakes(decorator)
                continue
            has_argument = self._new_of(decorator) is None and self._patcher(decorator) != "patch.dict"
            name = free.pop(0) if has_argument and free else ""
            mock = self._patched(decorator, name)
            if mock is None:
                continue
            self.edits.decorators.add(decorator.lineno)
            if name:
                self.edits.dropped_arguments.add(name)

    def _read_with(self, statement: ast.With | ast.AsyncWith) -> None:
        for number, item in enumerate(statement.items):
            call = item.context_expr
            if not isinstance(call, ast.Call) or not self._is_patch(call):
                self._note_fakes(call)
                continue
            name = item.optional_vars.id if isinstance(item.optional_vars, ast.Name) else ""
            if self._patched(call, name) is not None:
                self.edits.unwrapped.add((statement.lineno, number))

    def _patcher(self, call: ast.Call) -> str:
        name = full_name(call.func, self._imports)
        for prefix in ("unittest.mock.", "mock.", "mocker."):
            name = name.removeprefix(prefix)
        return name

    def _is_patch(self, call: ast.Call) -> bool:
        return self._patcher(call) in _PATCHERS and full_name(call.func, self._imports) not in _PATCHERS

    def _new_of(self, call: ast.Call) -> ast.expr | None:
        words = {word.arg: word.value for word in call.keywords}
        place = 2 if self._patcher(call) == "patch.object" else 1
        return words.get("new") or (call.args[place] if len(call.args) > place else None)

    def _patched(self, call: ast.Call, name: str) -> Mock | None:
        """Return the mock that a patcher puts in place, None where it is none of a service and stays."""
        use = self._use(call)
        if use is None or self._reader.is_kept(use):
            return None
        if self._patcher(call) not in ("patch", "patch.object"):
            raise self._refusal(
                call,
                "a dictionary or several names are replaced",
                "write monkeypatch.setitem with what the code is to find",
            )
        target = self._target(call, use)
        self._reading.installed.add(call.lineno)
        words = {word.arg: word.value for word in call.keywords}
        new = self._new_of(call)
        if isinstance(new, ast.Name | ast.Attribute) and (bound := self._lookup(new)):
            if bound.prefix:
                raise self._refusal(call, "a part of another mock is put in place", "hand the real object over")
            bound.mock.target = target
            return bound.mock
        if new is not None and not mock_paths.is_maker(new, self._imports) and use.service is not Service.FILES:
            raise self._refusal(
                call,
                "what is put in place is no mock that can be read",
                "put the real client there by monkeypatch.setattr",
            )
        is_async = "AsyncMock" in ast.unparse(call)
        mock = Mock(
            name or f"patch of {target}", use, target, is_async=is_async, line=call.lineno, path=str(self._module.path)
        )
        mock.is_created = "create" in words
        self._reading.mocks.append(mock)
        if isinstance(new, ast.Call):
            if mock_paths.is_maker(new, self._imports):
                self._add(mock, mock_paths.facts_of_maker(new, self._imports), ())
            else:
                mock.facts.append(Fact((), Kind.IS, new, call.lineno))
        elif new is not None:
            mock.facts.append(Fact((), Kind.IS, new, call.lineno))
        for word in ("return_value", "side_effect"):
            if word in words:
                kind = Kind.RETURNS if word == "return_value" else Kind.EFFECT
                self._add(mock, [Fact((), kind, words[word], call.lineno)], ())
        if name:
            self.bound[name] = Bound(mock)
        return mock

    def _target(self, call: ast.Call, use: MockUse) -> str:
        first = call.args[0] if call.args else None
        if isinstance(first, ast.Constant) and self._patcher(call) == "patch":
            return str(first.value)
        if self._patcher(call) == "patch.object" and first is not None and len(call.args) > 1:
            second = call.args[1]
            base = full_name(first, self._imports)
            if base and isinstance(second, ast.Constant):
                return f"{base}.{second.value!s}"
        if use.target:
            return use.target
        raise self._refusal(call, "it cannot be told what is replaced", "name it in a text")

    # Statements.

    def _read_block(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            if isinstance(statement, ast.With | ast.AsyncWith):
                self._read_with(statement)
                handled = self._reading.installed
                self._look(*(each.context_expr for each in statement.items if each.context_expr.lineno not in handled))
            elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self._look(*ast.iter_child_nodes(statement))
                continue
            elif isinstance(statement, ast.For | ast.AsyncFor):
                self._look(statement.iter)
            elif isinstance(statement, ast.If | ast.While):
                self._look(statement.test)
            elif not isinstance(statement, ast.Try):
                self._read_statement(statement)
            for name in ("body", "orelse", "finalbody"):
                self._read_block(getattr(statement, name, None) or [])
            for handler in getattr(statement, "handlers", ()):
                self._read_block(handler.body)

    def _read_statement(self, statement: ast.stmt) -> None:
        handled = False
        if isinstance(statement, ast.Assign):
            handled = self._read_assignment(statement)
        elif isinstance(statement, ast.Expr):
            handled = self._read_expression(statement)
        elif isinstance(statement, ast.Assert):
            handled = self._read_assert(statement)
        if handled:
            self.edits.removed.add(statement.lineno)
        else:
            self._look(statement)

    def _read_assignment(self, statement: ast.Assign) -> bool:
        value = statement.value
        if (looked := self._looked_at(value)) is not None:
            for node in ast.walk(statement.targets[0]):
                if isinstance(node, ast.Name):
                    self._looked[node.id] = looked
            return True
        if len(statement.targets) > 1 and mock_paths.is_maker(value, self._imports):
            raise self._refusal(statement, "one mock for several names", "give each name its own line")
        target = statement.targets[0]
        found = mock_paths.chain(target)
        if found is None:
            return False
        root, path = found
        if not path:
            return self._read_name(root, value, statement)
        bound = self.bound.get(root)
        if bound is None:
            return self._note_record(root, path, value, statement)
        fact = mock_paths.assigned(path, value, statement.lineno)
        if fact is not None:
            self._take(bound, fact)
        return True

    def _read_name(self, name: str, value: ast.expr, statement: ast.stmt) -> bool:
        self.bound.pop(name, None)
        if isinstance(value, ast.Call) and mock_paths.is_maker(value, self._imports):
            mock = self._make(name, value)
            if mock is None:
                self._values[name] = list(mock_paths.facts_of_maker(value, self._imports))
                return False
            self.bound[name] = Bound(mock)
            return True
        if isinstance(value, ast.Call) and self._is_patch(value):
            return self._patched(value, name) is not None
        found = mock_paths.chain(value)
        if found is not None and found[0] in self.bound and not ends_in_internal(found[1]):
            bound = self.bound[found[0]]
            if isinstance(value, ast.Call):
                return False
            part = mock_paths.normal(found[1])
            self.bound[name] = Bound(bound.mock, bound.prefix + (part or ()))
            return True
        return False

    def _note_record(self, root: str, path: tuple[str, ...], value: ast.expr, statement: ast.stmt) -> bool:
        """Remember an attribute of a mock that stands for a row, say: `user.name = "Ada"`."""
        if root in self._values and len(path) == 1:
            self._values[root].append(Fact(path, Kind.IS, value, statement.lineno))
        return False

    def _read_expression(self, statement: ast.Expr) -> bool:
        call = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
        if not isinstance(call, ast.Call):
            return False
        if self._is_patch(call):
            return self._patched(call, "") is not None
        if not isinstance(call.func, ast.Attribute):
            return False
        found = mock_paths.chain(call.func)
        bound = self.bound.get(found[0]) if found else None
        if found is None or bound is None or not found[1]:
            return False
        path, word = found[1][:-1], found[1][-1]
        if word == "reset_mock":
            return True
        if word == "configure_mock":
            self._add(bound.mock, mock_paths.facts_of_maker(call, self._imports), bound.prefix)
            return True
        if not word.startswith("assert_"):
            return False
        where = mock_paths.normal(path)
        for check in checks_of(word, call, (*bound.prefix, *(where or ()))) if where is not None else ():
            bound.mock.checks.append(check)
        return True

    def _read_assert(self, statement: ast.Assert) -> bool:
        parts = statement.test.values if isinstance(statement.test, ast.BoolOp) else [statement.test]
        if isinstance(statement.test, ast.BoolOp) and not isinstance(statement.test.op, ast.And):
            return False
        if (looked := self._looked_at(statement.test)) is not None:
            mock, path = looked
            empty: dict[str, ast.expr] = {}
            line = statement.lineno
            mock.checks.append(
                Check(path=path, word="called", times=None, arguments=None, keywords=empty, line=line, looks=True)
            )
            return True
        read = [self._asked(part, statement.lineno) for part in parts]
        if not all(read):
            return False
        for mock, check in (each for each in read if each):
            mock.checks.append(check)
        return True

    def _looked_at(self, node: ast.expr) -> tuple[Mock, tuple[str, ...]] | None:
        """Return mock and path where an expression looks at the arguments of its only, or last, call."""
        found: tuple[Mock, tuple[str, ...]] | None = None
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id in self._looked:
                found = self._looked[inner.id]
            elif isinstance(inner, ast.Attribute) and inner.attr in ("call_args", "await_args"):
                chain = mock_paths.chain(inner.value)
                bound = self.bound.get(chain[0]) if chain else None
                where = mock_paths.normal(chain[1]) if chain else None
                if bound is not None and where is not None:
                    found = bound.mock, (*bound.prefix, *where)
        return found

    def _asked(self, node: ast.expr, line: int) -> tuple[Mock, Check] | None:
        """Return what a condition asks of a mock: `m.called`, `not m.called`, `m.call_count == 2`."""
        negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        inner = node.operand if isinstance(node, ast.UnaryOp) else node
        times: int | None = None
        if isinstance(inner, ast.Compare) and len(inner.ops) == 1 and isinstance(inner.comparators[0], ast.Constant):
            wanted = inner.comparators[0].value
            if isinstance(inner.ops[0], ast.Eq | ast.Is) and isinstance(wanted, bool):
                negated = negated != (not wanted)
            elif isinstance(inner.ops[0], ast.Eq) and isinstance(wanted, int):
                times = wanted
            elif not (isinstance(inner.ops[0], ast.Gt | ast.GtE) and isinstance(wanted, int)):
                return None
            inner = inner.left
        found = mock_paths.chain(inner) if isinstance(inner, ast.Attribute) else None
        bound = self.bound.get(found[0]) if found else None
        if found is None or bound is None or found[1][-1:] not in (("called",), ("call_count",), ("await_count",)):
            return None
        where = mock_paths.normal(found[1][:-1])
        if where is None:
            return None
        word = "not called" if negated or times == 0 else "called"
        path = (*bound.prefix, *where)
        return bound.mock, Check(path=path, word=word, times=times, arguments=None, keywords={}, line=line)

    # Names and facts.

    def _look(self, *nodes: ast.AST) -> None:
        """Raise for an expression that looks into a mock; calls of real methods and handing it over are fine."""
        for node in nodes:
            given = node.value if isinstance(node, ast.Return) else None
            given = node.value.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield) else given
            if given is not None and self._is_fixture:
                self._note_fakes(given)
                if mock_paths.is_maker(given, self._imports):
                    continue
            for inner in ast.walk(node):
                self._look_at(inner)

    def _look_at(self, inner: ast.AST) -> None:
        if isinstance(inner, ast.Call) and mock_paths.is_maker(inner, self._imports):
            use = self._use(inner)
            if not self._reader.is_kept(use):
                raise self._refusal(inner, "a mock without a name is handed over", "give it a name of its own")
        if isinstance(inner, ast.Call) and self._is_patch(inner):
            use = self._use(inner)
            handled = inner.lineno in self._reading.installed
            if not self._reader.is_kept(use) and not handled:
                raise self._refusal(
                    inner, "a patcher is started by hand", "use monkeypatch.setattr with the real object"
                )
        if isinstance(inner, ast.Call):
            self._note_fakes(inner)
        if isinstance(inner, ast.Name) and inner.id in self._looked:
            raise self._refusal(
                inner, "the test looks into the mock", "ask the real service for what is there afterwards"
            )
        if not isinstance(inner, ast.Attribute):
            return
        found = mock_paths.chain(inner)
        if found is None or found[0] not in self.bound:
            return
        if any(map(mock_paths.is_internal, found[1])) and not (self._is_plain_call(inner)):
            raise self._refusal(
                inner, "the test looks into the mock", "ask the real service for what is there afterwards"
            )

    def _is_plain_call(self, node: ast.Attribute) -> bool:
        return "()" not in ast.unparse(node) and not any(mock_paths.is_internal(name) for name in written(node))

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
            bound.mock.facts = [
                old for old in bound.mock.facts if not (old.path == each.path and old.kind is each.kind)
            ]
            bound.mock.facts.append(self._with_record(each))

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
