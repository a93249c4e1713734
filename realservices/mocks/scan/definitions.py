"""The part of the walk that meets functions and classes: fixtures, decorators, the mocks that they pass."""

from __future__ import annotations

import ast

from realservices.mocks.scan import apis
from realservices.mocks.scan.draft import Draft, literal
from realservices.mocks.scan.patched_targets import injected_by_name, injects
from realservices.mocks.scan.scopes import INSTANCE, Scope, annotation_text, arguments_of, dotted, resolve
from realservices.mocks.scan.walker import MOCK, Walker
from realservices.mocks.scan_model import Form

_SETUPS = frozenset({"setUp", "asyncSetUp", "setUpClass", "setup_method", "setup", "setup_class"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Definitions(Walker):
    """Functions, lambdas and classes."""

    def visit_function(self, node: _Function) -> None:
        """Visit a function: a test, a fixture, or another."""
        decorators = [one for one in map(self._decorator, node.decorator_list) if one]
        is_fixture = any(map(_is_fixture, node.decorator_list))
        is_test = node.name.startswith("test") and not is_fixture and self.scope.kind != "function"
        self.bind(node.name, ".".join(filter(None, (self.module, self.scope.name, node.name))))
        self.notes.tests += is_test
        outer = self.scope, self.function, self.fixture
        self.scope, self.function = Scope("function", node.name, self.scope, node), node.name
        if is_fixture:
            self.fixture = node.name
            self.notes.fixtures.add(node.name)
        patches = [*reversed(decorators), *(self.class_patches if is_test else ())]
        injected = self._bind_injected(node, patches, is_method=outer[0].kind == "class")
        self._bind_parameters(node, injected, asks=is_test or is_fixture)
        for patch in decorators:
            patch.scope = self.scope
        self.visit_all([*node.args.defaults, *(one for one in node.args.kw_defaults if one), *node.body])
        self.scope, self.function, self.fixture = outer

    def _decorator(self, node: ast.expr) -> Draft | None:
        called = dotted(node.func if isinstance(node, ast.Call) else node)
        if isinstance(node, ast.Call) and called == "pytest.mark.usefixtures":
            for one in node.args:
                self.ask_for(literal(one), node)
        draft = self.recogniser.installed(node, self.scope)
        if draft is None:
            self.visit(node)
            return None
        if draft.form is Form.PATCH_CALL:
            draft.form = Form.PATCH_DECORATOR
        self.add(draft, node if isinstance(node, ast.Call) else None)
        return draft

    def _bind_injected(self, node: _Function, patches: list[Draft], *, is_method: bool) -> set[str]:
        """Give the mocks that decorators pass the names of their parameters."""
        positional = [one.arg for one in (*node.args.posonlyargs, *node.args.args)][1 if is_method else 0 :]
        bound: set[str] = set()
        for patch in patches:
            if patch.call is None or patch.form is not Form.PATCH_DECORATOR:
                continue
            names = injected_by_name(patch.api, patch.call)
            if injects(patch.api, patch.call) and positional:
                names = [positional.pop(0)]
            for name in names:
                self.scope.bound[name] = MOCK
                patch.names.append(name)
                bound.add(name)
        return bound

    def _bind_parameters(self, node: _Function, injected: set[str], *, asks: bool) -> None:
        for one in arguments_of(node):
            if one.arg in injected or one.arg in ("self", "cls"):
                continue
            self.scope.bound[one.arg] = self._type_of(one)
            if asks:
                self.ask_for(one.arg, one)

    def _type_of(self, one: ast.arg) -> str:
        annotated = resolve(annotation_text(one.annotation), self.scope) if one.annotation else ""
        if one.arg in apis.MOCKER_FIXTURES or annotated in apis.MOCKER_TYPES:
            return apis.MOCKER
        if one.arg == "monkeypatch" or annotated in apis.MONKEYPATCH_TYPES:
            return apis.MONKEYPATCH
        if annotated and not annotated.startswith(("builtins.", "typing.", "collections.")):
            return annotated + INSTANCE
        types = self.notes.types.get(one.arg) if one.arg in self.notes.fixtures else None
        return types[0] if types else ""

    def visit_lambda(self, node: ast.Lambda) -> None:
        """Visit a lambda."""
        outer = self.scope
        self.scope = Scope("function", "", outer, node)
        self.scope.name = outer.name
        for one in arguments_of(node):
            self.scope.bound[one.arg] = ""
        self.visit_as(node.body, [])
        self.scope = outer

    def visit_class(self, node: ast.ClassDef) -> None:
        """Visit a class: of tests, of mocks, or one that stands for a client."""
        patches = [one for one in map(self._decorator, node.decorator_list) if one]
        bases = [self.recogniser.full(one, self.scope) for one in node.bases]
        mocks = [base for base in bases if apis.is_mock_class(base)]
        own = ".".join(filter(None, (self.module, self.scope.name, node.name)))
        self.bind(node.name, mocks[0] if mocks else own)
        for draft in self.recogniser.bases(node, bases, self.scope):
            self.add(draft)
        outer = self.scope, self.class_patches
        self.scope = Scope("class", node.name, outer[0], node)
        for patch in patches:
            patch.scope = self.scope
        self.class_patches = [*patches[::-1], *outer[1]]
        fake = None if mocks or self.within else self.recogniser.fake_class(node, bases, outer[0])
        if fake:
            self.add(fake)
            self.within.append(fake)
        setups = [one for one in node.body if isinstance(one, _Function) and one.name in _SETUPS]
        self.visit_all([*setups, *(one for one in node.body if one not in setups)])
        if fake:
            self.within.pop()
        self.scope, self.class_patches = outer


def _is_fixture(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    return dotted(called).rpartition(".")[2] in ("fixture", "yield_fixture")
