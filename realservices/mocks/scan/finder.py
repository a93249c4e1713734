"""Walk through a file's syntax tree and write down each mock that it makes or installs."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.model import Form
from realservices.mocks.scan import apis, fakes
from realservices.mocks.scan.draft import Draft, Fact, Notes, literal
from realservices.mocks.scan.recognise import Recogniser
from realservices.mocks.scan.scopes import (
    INSTANCE,
    Scope,
    absolute,
    annotation_text,
    arguments_of,
    dotted,
    import_bindings,
    resolve,
)
from realservices.mocks.scan.targets import injected_by_name, injects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from realservices.mocks.scan.inherited import Inherited

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_STACKS = frozenset({"enter_context", "enterContext", "enter_async_context", "enterAsyncContext"})
_PASSING = frozenset({"cast", "next", "iter", "list", "tuple", "staticmethod", "classmethod"})
_SETUPS = frozenset({"setUp", "asyncSetUp", "setUpClass", "setup_method", "setup", "setup_class"})
_CONFIGURES = frozenset({"configure_mock", "attach_mock", "mock_add_spec"})
_MOCK = "unittest.mock.Mock" + INSTANCE


class Finder:
    """A walk through one file.

    Args:
        module: The file's dotted name.
        path: Its path, relative to the project.
        inherited: What other files of the project hand on to it.
    """

    def __init__(self, module: str, path: Path, inherited: Inherited) -> None:
        self.notes = Notes()
        self.stars: list[str] = []
        self._module, self._path, self._inherited = module, path, inherited
        self._recogniser = Recogniser(module, self.stars, inherited)
        self._scope = Scope("module")
        self._within: list[Draft] = []
        self._names: list[str] = []
        self._hints: list[str] = []
        self._function: ast.FunctionDef | ast.AsyncFunctionDef | None = None
        self._fixture = ""
        self._class_patches: list[Draft] = []
        self._told: set[str] = set()
        self._handlers: dict[type[ast.AST], Callable[..., None]] = {
            ast.FunctionDef: self._visit_function,
            ast.AsyncFunctionDef: self._visit_function,
            ast.Lambda: self._visit_lambda,
            ast.ClassDef: self._visit_class,
            ast.Import: self._visit_import,
            ast.ImportFrom: self._visit_import_from,
            ast.Assign: self._visit_assign,
            ast.AnnAssign: self._visit_annotated,
            ast.With: self._visit_with,
            ast.AsyncWith: self._visit_with,
            ast.Call: self._visit_chain,
            ast.Attribute: self._visit_chain,
            ast.Name: self._visit_name,
            ast.Constant: self._visit_nothing,
            ast.Return: self._visit_return,
            ast.Yield: self._visit_return,
            ast.Dict: self._visit_dict,
            ast.Compare: self._visit_compare,
        }

    def walk(self, tree: ast.Module) -> Notes:
        """Return what is in a file."""
        self._visit_all(tree.body)
        return self.notes

    def _visit(self, node: ast.AST) -> None:
        handler = self._handlers.get(type(node))
        if handler:
            handler(node)
            return
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                self._visit(value)
            elif isinstance(value, list):
                self._visit_all(value)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            if isinstance(node, ast.AST):
                self._visit(node)

    def _visit_as(self, node: ast.AST | None, names: list[str], hints: list[str] | None = None) -> None:
        """Visit an expression that is reached by names, or spoken of by hints."""
        if node is None:
            return
        before = self._names, self._hints
        self._names, self._hints = names, hints or []
        self._visit(node)
        self._names, self._hints = before

    def _visit_nothing(self, node: ast.AST) -> None:
        pass

    # Names.

    def _visit_import(self, node: ast.Import) -> None:
        for name, full in import_bindings(node):
            self._scope.bind(name, full)

    def _visit_import_from(self, node: ast.ImportFrom) -> None:
        module = absolute(node, self._module, self._path.name == "__init__.py")
        for alias in node.names:
            if alias.name != "*":
                self._scope.bind(alias.asname or alias.name, f"{module}.{alias.name}")
                continue
            self.stars.append(module)
            for name in apis.exported_by_star(module):
                self._scope.bind(name, f"{module}.{name}")
            for name, full in self._inherited.star(module):
                self._scope.bind(name, full)

    def _visit_name(self, node: ast.Name) -> None:
        if self._within and isinstance(node.ctx, ast.Load):
            self._within[-1].links.append(node.id)
            self._within[-1].inside.append(resolve(node.id, self._scope))

    # Functions and classes.

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators = [self._visit_decorator(one) for one in node.decorator_list]
        patches = [one for one in reversed(decorators) if one]
        is_fixture = any(map(self._is_fixture, node.decorator_list))
        is_test = node.name.startswith("test") and not is_fixture
        self._scope.bind(node.name, f"{self._module}.{self._scope.name}.{node.name}".replace("..", "."))
        if is_test and self._scope.kind != "function":
            self.notes.tests += 1
            patches += self._class_patches
        outer = self._scope, self._function, self._fixture
        self._scope = Scope("function", node.name, self._scope, node)
        self._function = node
        if is_fixture:
            self._fixture = node.name
            self.notes.fixtures.add(node.name)
        injected = self._bind_injected(node, patches, is_method=outer[0].kind == "class")
        self._bind_parameters(node, injected, asks=is_test or is_fixture)
        for patch in decorators:
            if patch:
                patch.scope = self._scope
        self._visit_all([*node.args.defaults, *(one for one in node.args.kw_defaults if one), *node.body])
        self._scope, self._function, self._fixture = outer

    def _visit_decorator(self, node: ast.expr) -> Draft | None:
        if isinstance(node, ast.Call) and dotted(node.func).startswith("pytest.mark.usefixtures"):
            for one in node.args:
                self._ask_for(literal(one), node, None)
        draft = self._recogniser.installed(node, self._scope)
        if draft is None:
            self._visit(node)
            return None
        if draft.form is Form.PATCH_CALL:
            draft.form = Form.PATCH_DECORATOR
        self._add(draft, node if isinstance(node, ast.Call) else None)
        return draft

    def _is_fixture(self, node: ast.expr) -> bool:
        called = node.func if isinstance(node, ast.Call) else node
        return dotted(called).rpartition(".")[2] in ("fixture", "yield_fixture")

    def _bind_injected(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, patches: list[Draft], *, is_method: bool
    ) -> set[str]:
        """Give the mocks that decorators pass their parameters' names."""
        positional = [one.arg for one in (*node.args.posonlyargs, *node.args.args)][1 if is_method else 0 :]
        bound: set[str] = set()
        for patch in patches:
            if patch.call is None or patch.form is not Form.PATCH_DECORATOR:
                continue
            names = injected_by_name(patch.api, patch.call)
            if injects(patch.api, patch.call) and positional:
                names = [positional.pop(0)]
            for name in names:
                self._scope.bind(name, _MOCK)
                patch.names.append(name)
                bound.add(name)
        return bound

    def _bind_parameters(self, node: ast.FunctionDef | ast.AsyncFunctionDef, injected: set[str], *, asks: bool) -> None:
        for one in arguments_of(node):
            if one.arg in injected or one.arg in ("self", "cls"):
                continue
            self._scope.bound[one.arg] = self._type_of(one)
            if asks:
                self._ask_for(one.arg, one, node)

    def _type_of(self, one: ast.arg) -> str:
        annotated = resolve(annotation_text(one.annotation), self._scope) if one.annotation else ""
        if one.arg in apis.MOCKER_FIXTURES or annotated in apis.MOCKER_TYPES:
            return apis.MOCKER
        if one.arg == "monkeypatch" or annotated in apis.MONKEYPATCH_TYPES:
            return apis.MONKEYPATCH
        return annotated + INSTANCE if annotated and not annotated.startswith("builtins.") else ""

    def _ask_for(self, name: str, at: ast.AST, node: ast.AST | None) -> None:
        """Note a fixture that a function asks for, if it is one that brings a mock."""
        fixture = self._inherited.fixture(name, self._scope)
        if fixture:
            self._scope.bound[name] = _MOCK
            if name not in self._told:
                self._told.add(name)
                self._add(Draft(at, Form.INHERITED, fixture.api, self._scope, names=[name], known=fixture.known))
            return
        library = fakes.FIXTURES.get(name)
        if library and not self._inherited.has_fixture(name) and name not in self.notes.fixtures:
            known = (library.service, f"the fixture {name} of {library.module.partition('.')[0]}")
            self._add(Draft(at, Form.FAKE_LIBRARY, f"{library.module}.{name}", self._scope, names=[name], known=known))

    def _visit_lambda(self, node: ast.Lambda) -> None:
        outer = self._scope
        self._scope = Scope("function", "<lambda>", outer)
        self._scope.name = outer.name
        for one in arguments_of(node):
            self._scope.bound[one.arg] = ""
        self._visit_as(node.body, [])
        self._scope = outer

    def _visit_class(self, node: ast.ClassDef) -> None:
        patches = [one for one in map(self._visit_decorator, node.decorator_list) if one]
        bases = [self._recogniser.full(one, self._scope) for one in node.bases]
        mocks = [base for base in bases if apis.is_mock_class(base)]
        own = f"{self._module}.{node.name}".lstrip(".")
        self._scope.bind(node.name, mocks[0] if mocks else own)
        for draft in self._recogniser.bases(node, bases, self._scope):
            self._add(draft)
        outer = self._scope, self._class_patches
        self._scope = Scope("class", node.name, outer[0], node)
        self._class_patches = [*patches[::-1], *outer[1]]
        for patch in patches:
            patch.scope = self._scope
        setups = [one for one in node.body if isinstance(one, _FUNCTIONS) and one.name in _SETUPS]
        self._visit_all([*setups, *(one for one in node.body if one not in setups)])
        self._scope, self._class_patches = outer
        if not mocks and (fake := self._recogniser.fake_class(node, bases, self._scope)):
            self._add(fake)

    # Statements.

    def _visit_assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._note_assigned(target, node.value)
        names = [text for text in map(dotted, node.targets) if text]
        pairs = _pairs(node)
        if pairs:
            for target, value in pairs:
                self._visit_value([dotted(target)], value)
        elif any(self._is_attribute_of_mock(target) for target in node.targets):
            self._visit_part(node)
        else:
            hints = [literal(one.slice) for one in node.targets if isinstance(one, ast.Subscript)]
            self._visit_value(names, node.value, [one for one in hints if one])
        for target in node.targets:
            if not isinstance(target, ast.Name):
                self._visit(target)

    def _visit_annotated(self, node: ast.AnnAssign) -> None:
        name = dotted(node.target)
        if node.value:
            self._note_assigned(node.target, node.value)
            self._visit_value([name], node.value)
        full = resolve(annotation_text(node.annotation), self._scope)
        if name and full and not self._scope.bound.get(name):
            self._scope.bind(name, full + INSTANCE)

    def _visit_value(self, names: list[str], value: ast.expr, hints: list[str] | None = None) -> None:
        names = [name for name in names if name]
        self._visit_as(value, names, hints)
        full = self._recogniser.value(value, self._scope)
        for name in names:
            if name.count(".") == name.startswith("self."):
                self._scope.bind(name, full)
        for draft in self._recogniser.sqlite_in_assignment(names, hints or [], value, self._scope):
            self._add(draft)

    def _note_assigned(self, target: ast.AST, value: ast.expr) -> None:
        text = dotted(target)
        if text.count(".") > text.startswith("self."):
            root, attributes = _split(text)
            self.notes.facts.setdefault(root, []).append(Fact(self._scope, attributes, None, value))

    def _is_attribute_of_mock(self, target: ast.AST) -> bool:
        """Return whether something is assigned within a mock that is already counted."""
        root, is_deeper = _root(target)
        full = self._scope.lookup(root) if root else None
        if full is not None and full.endswith(INSTANCE) and apis.form_of(full[: -len(INSTANCE)]):
            return is_deeper
        return is_deeper and (full == "" and "mock" in root.lower())

    def _visit_part(self, node: ast.Assign) -> None:
        """Visit what is given to a part of a mock: what is made there belongs to that mock."""
        root, _ = _root(node.targets[0])
        owner = next((one for one in reversed(self.notes.drafts) if root in one.names), None)
        self._within.append(owner or Draft(node, Form.MOCK, "", self._scope))
        self._visit_as(node.value, [])
        self._within.pop()

    def _visit_with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            draft = self._recogniser.installed(item.context_expr, self._scope)
            names = [dotted(item.optional_vars)] if item.optional_vars else []
            if draft is None:
                self._visit_as(item.context_expr, names)
                self._started(item.context_expr, names)
            else:
                if draft.form is Form.PATCH_CALL:
                    draft.form = Form.PATCH_CONTEXT
                draft.names += [name for name in names if name]
                self._add(draft, item.context_expr if isinstance(item.context_expr, ast.Call) else None)
            full = _MOCK if draft and draft.form is Form.PATCH_CONTEXT else self._context_value(item.context_expr)
            for name in names:
                self._scope.bind(name, full)
        self._visit_all(node.body)

    def _context_value(self, node: ast.expr) -> str:
        full = self._recogniser.value(node, self._scope)
        return apis.MONKEYPATCH if full.startswith(apis.MONKEYPATCH) else full

    def _started(self, node: ast.AST, names: list[str]) -> None:
        """Give a patcher the name of the mock that it returns when it is started or entered."""
        text = dotted(node)
        for draft in self.notes.drafts if text and names else ():
            if text in draft.names and draft.form is Form.PATCH_CALL:
                draft.names += names
                for name in names:
                    self._scope.bind(name, _MOCK)

    def _visit_return(self, node: ast.Return | ast.Yield) -> None:
        function = self._function
        self._visit_as(node.value, [], [function.name] if function else [])
        if function and node.value:
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            self.notes.returned.setdefault(function.name, set()).update(filter(None, map(dotted, values)))

    # Expressions.

    def _visit_compare(self, node: ast.Compare) -> None:
        self._visit_as(node.left, [])
        for one in node.comparators:
            self._visit_as(one, [])

    def _visit_dict(self, node: ast.Dict) -> None:
        draft = self._recogniser.django_database(node, self._scope) if not self._within else None
        if draft:
            self._add(draft)
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                self._visit_as(key, [])
            self._visit_as(value, [], [literal(key)] if literal(key) else None)

    def _visit_chain(self, node: ast.Call | ast.Attribute) -> None:
        """Visit `a.b(…).c(…)`: its calls, and what it says of `a`."""
        names, hints = self._names, self._hints
        self._names, self._hints = [], []
        attributes: list[str] = []
        at: ast.AST = node
        while True:
            if isinstance(at, ast.Call):
                if self._visit_call(at, names, hints, attributes):
                    break
                at = at.func
            elif isinstance(at, ast.Attribute):
                attributes.append(at.attr)
                at = at.value
            elif isinstance(at, ast.Await):
                at = at.value
            elif isinstance(at, ast.Subscript):
                self._visit(at.slice)
                at = at.value
            else:
                self._end_of_chain(node, at, attributes[::-1])
                break
        self._names, self._hints = names, hints

    def _end_of_chain(self, node: ast.Call | ast.Attribute, at: ast.AST, attributes: list[str]) -> None:
        if not isinstance(at, ast.Name):
            self._visit(at)
            return
        root = at.id
        if root in ("self", "cls") and attributes:
            root = f"self.{attributes.pop(0)}"
        else:
            self._visit_name(at)
        if self._within:
            self._within[-1].inside.append(self._recogniser.full(node, self._scope))
            self._within[-1].links.append(root)
        if attributes:
            call = node if isinstance(node, ast.Call) else None
            self.notes.facts.setdefault(root, []).append(Fact(self._scope, tuple(attributes), call))

    def _visit_call(self, node: ast.Call, names: list[str], hints: list[str], behind: list[str]) -> bool:
        """Visit a call's arguments, and return whether the call is a mock's: then nothing before it is of interest."""
        if behind and behind != ["start"]:
            names = []  # It is what a method returns that has the names.
        draft = self._recogniser.call(node, self._scope)
        if draft is None:
            self._visit_arguments(node, names)
            if isinstance(node.func, ast.Attribute) and node.func.attr == "start":
                self._started(node.func.value, names)
            return False
        draft.names += names
        draft.hints += hints
        if draft.form is Form.INHERITED:
            if draft.api in self._told:
                self._visit_arguments(node, [])
                return False
            self._told.add(draft.api)
        self._add(draft, node)
        return True

    def _visit_arguments(self, node: ast.Call, names: list[str]) -> None:
        last = dotted(node.func).rpartition(".")[2]
        passes = last in _STACKS or last in _PASSING
        configures = last in _CONFIGURES and not self._within
        if configures:
            self._within.append(Draft(node, Form.MOCK, "", self._scope))
        for one in node.args:
            self._visit_as(one, names if passes else [])
        for named in node.keywords:
            self._visit_as(named.value, [], [named.arg] if named.arg else None)
        if configures:
            self._within.pop()

    def _add(self, draft: Draft, call: ast.Call | None = None) -> None:
        """Take a use down, unless it is a part of another; then look into its arguments."""
        if self._within:
            self._within[-1].inside.append(draft.api)
            if draft.target:
                self._within[-1].inside.append(draft.target)
        else:
            draft.fixture = self._fixture
            self.notes.drafts.append(draft)
        if call:
            draft.call = call
            self._within.append(draft if not self._within else self._within[-1])
            self._visit_arguments_within(call)
            self._within.pop()

    def _visit_arguments_within(self, call: ast.Call) -> None:
        for one in call.args:
            self._visit_as(one, [])
        for named in call.keywords:
            self._visit_as(named.value, [])


def _pairs(node: ast.Assign) -> list[tuple[ast.expr, ast.expr]]:
    target = node.targets[0]
    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple) and len(target.elts) == len(node.value.elts):
        return list(zip(target.elts, node.value.elts, strict=True))
    return []


def _split(text: str) -> tuple[str, tuple[str, ...]]:
    parts = text.split(".")
    count = 2 if parts[0] == "self" else 1
    return ".".join(parts[:count]), tuple(parts[count:])


def _root(node: ast.AST) -> tuple[str, bool]:
    """Return the first part of a target, and whether there is something behind it."""
    depth = 0
    last = ""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            last, node = node.attr, node.value
        elif isinstance(node, ast.Subscript | ast.Call | ast.Await):
            node = node.func if isinstance(node, ast.Call) else node.value
        else:
            return "", False
        depth += 1
    if node.id in ("self", "cls"):
        return f"self.{last}", depth > 1
    return node.id, depth > 0
