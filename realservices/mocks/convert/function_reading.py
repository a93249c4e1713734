"""Read one function, a fixture or a test: statement by statement, what it does with mocks of services."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert import mock_paths
from realservices.mocks.convert.mock_checks import checks_of, ends_in_internal
from realservices.mocks.convert.mock_looks import MockLooks
from realservices.mocks.convert.mock_paths import Fact, Kind
from realservices.mocks.convert.project_modules import full_name
from realservices.mocks.convert.test_facts import Check, Mock
from realservices.mocks.convert.told_facts import Bound

if TYPE_CHECKING:
    from collections.abc import Iterable


class FunctionReader(MockLooks):
    """Reads one function: a fixture or the test."""

    def read(self) -> None:
        """Read it.

        Raises:
            Unconvertible: It does something that has no counterpart on real services.
        """
        for argument in self._function.args.args:
            self._note_fakes(argument)  # A fixture of a plugin.
        self._read_decorators()
        self._read_block(self._function.body)
        if self._module is not self._reader._module:
            return
        self._reading.by_function[self._function.lineno] = {
            name: bound.mock for name, bound in self.bound.items() if not bound.prefix
        }

    def grafted(self) -> dict[str, Bound]:
        """Return what earlier fixtures gave, and this one made a part of another mock."""
        known = self._reading.mocks
        return {
            name: self.bound[name] for name in self._given if name in self.bound and self._given[name].mock not in known
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
            return self._read_name(root, value)
        bound = self.bound.get(root)
        if bound is None:
            return self._note_record(root, path, value, statement)
        fact = mock_paths.assigned(path, value, statement.lineno)
        if fact is not None:
            self._take(bound, fact)
        return True

    def _read_name(self, name: str, value: ast.expr) -> bool:
        self.bound.pop(name, None)
        if isinstance(value, ast.Call) and mock_paths.is_maker(value, self._imports):
            mock = self._make(name, value)
            if mock is None:
                self._values[name] = list(mock_paths.facts_of_maker(value, self._imports))
                return False
            self.bound[name] = Bound(mock)
            return True
        if isinstance(value, ast.Call) and self._is_patch(value):
            self._check_gives_mock(value)
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

    def _check_gives_mock(self, call: ast.Call) -> None:
        """Raise for a patcher of unittest with a name: it gives its mock when it is started, which pytest-mock does."""
        if full_name(call.func, self._imports).startswith("mocker.") or self._reader.is_kept(self._use(call)):
            return
        self._patched(call, "")  # What is known of it tells what it is a mock of.
        raise self._refusal(call, "a patcher is started by hand", "use monkeypatch.setattr with the real object")

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
