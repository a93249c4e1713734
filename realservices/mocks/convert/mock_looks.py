"""Looks into a mock: what a test was called with, and whatever else a mock remembers and no service does."""

from __future__ import annotations

import ast

from realservices.mocks.convert import mock_paths
from realservices.mocks.convert.mock_checks import written
from realservices.mocks.convert.patch_reading import PatchReader
from realservices.mocks.convert.test_facts import Mock

# "" is what a test has no import for: `monkeypatch`, `mocker`, objects of its own.
_TEST_LIBRARIES = ("", "unittest", "pytest", "mock", "contextlib")


class MockLooks(PatchReader):
    """Finds where a function looks into a mock."""

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

    def _hand_over(self, call: ast.Call) -> None:
        """Take note of mocks without a name that are handed to an imported function, and are told nothing."""
        root = ast.unparse(call.func).partition(".")[0]
        origin = self._imports.get(root, "").partition(".")[0]
        if self._function is not self._reading.test or origin in _TEST_LIBRARIES:
            return
        for given in (*call.args, *(word.value for word in call.keywords)):
            is_plain = isinstance(given, ast.Call) and not given.args and all(w.arg == "spec" for w in given.keywords)
            if is_plain and mock_paths.is_maker(given, self._imports) and self._make("", given) is not None:
                self._handed.add(id(given))

    def _look_at(self, inner: ast.AST) -> None:
        if isinstance(inner, ast.Call) and mock_paths.is_maker(inner, self._imports):
            use = self._use(inner)
            if not self._reader.is_kept(use) and id(inner) not in self._handed:
                raise self._refusal(inner, "a mock without a name is handed over", "give it a name of its own")
        if isinstance(inner, ast.Call) and self._is_patch(inner):
            use = self._use(inner)
            handled = inner.lineno in self._reading.installed
            if not self._reader.is_kept(use) and not handled:
                raise self._refusal(
                    inner, "a patcher is started by hand", "use monkeypatch.setattr with the real object"
                )
        if isinstance(inner, ast.Call):
            self._hand_over(inner)
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
