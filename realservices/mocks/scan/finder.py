"""Walk through a file's syntax tree and write down each mock that it makes or installs."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.scan.definitions import Definitions
from realservices.mocks.scan.draft import Fact, Notes, literal
from realservices.mocks.scan.scopes import dotted, resolve
from realservices.mocks.scan.statement_walk import Statements
from realservices.mocks.scan_model import Form

if TYPE_CHECKING:
    from pathlib import Path

    from realservices.mocks.scan.draft import Draft
    from realservices.mocks.scan.inherited import Inherited
    from realservices.mocks.scan_model import Service

_STACKS = frozenset({"enter_context", "enterContext", "enter_async_context", "enterAsyncContext"})
_PASSING = frozenset({"cast", "next", "iter", "list", "tuple", "staticmethod", "classmethod"})
_CONFIGURES = frozenset({"configure_mock", "attach_mock", "mock_add_spec"})


class Finder(Definitions, Statements):
    """A walk through one file.

    Args:
        module: The file's dotted name.
        path: Its path, relative to the project.
        inherited: What other files of the project hand on to it.
        context: What the file is about.
    """

    def __init__(self, module: str, path: Path, inherited: Inherited, context: Service) -> None:
        super().__init__(module, path, inherited, context)
        self.handlers |= {
            ast.FunctionDef: self.visit_function,
            ast.AsyncFunctionDef: self.visit_function,
            ast.Lambda: self.visit_lambda,
            ast.ClassDef: self.visit_class,
            ast.Import: self.visit_import,
            ast.ImportFrom: self.visit_import_from,
            ast.Assign: self.visit_assign,
            ast.AnnAssign: self.visit_annotated,
            ast.With: self.visit_with,
            ast.AsyncWith: self.visit_with,
            ast.Try: self.visit_try,
            ast.Return: self.visit_return,
            ast.Yield: self.visit_return,
            ast.Call: self._chain,
            ast.Attribute: self._chain,
            ast.Name: self._name,
            ast.Dict: self._dict,
            ast.Compare: self._compare,
        }

    def walk(self, tree: ast.Module) -> Notes:
        """Return what is in a file."""
        self.visit_all(tree.body)
        for draft in self.notes.drafts:
            # `r = Mock(); return r`: what speaks is the name of the fixture.
            if self.notes.returned.get(draft.fixture) in [{name} for name in draft.names]:
                draft.hints.append(draft.fixture)
        # They hold this object, which holds the tree: without them it goes at once, and not when the collector runs.
        self.handlers.clear()
        return self.notes

    def _name(self, node: ast.Name) -> None:
        if self.within and isinstance(node.ctx, ast.Load):
            self.within[-1].links.append(node.id)
            self.within[-1].inside.append(resolve(node.id, self.scope))

    def _compare(self, node: ast.Compare) -> None:
        for one in (node.left, *node.comparators):
            self.visit_as(one, [])

    def _dict(self, node: ast.Dict) -> None:
        draft = None if self.within else self.recogniser.django_database(node, self.scope)
        if draft:
            self.add(draft)
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                self.visit_as(key, [])
            self.visit_as(value, [], [literal(key)] if literal(key) else None)

    def _chain(self, node: ast.Call | ast.Attribute) -> None:
        """Visit `a.b(…).c(…)`: its calls, and what it says of `a`."""
        names, hints = self.names, self.hints
        self.names, self.hints = [], []
        attributes: list[str] = []
        at: ast.AST = node
        while True:
            if isinstance(at, ast.Call):
                if self._call(at, names, hints, attributes):
                    break
                at = at.func
            elif isinstance(at, ast.Attribute):
                attributes.append(at.attr)
                at = at.value
            elif isinstance(at, ast.Await):
                at = at.value
            elif isinstance(at, ast.Subscript):
                self.visit(at.slice)
                at = at.value
            else:
                self._end_of_chain(node, at, attributes[::-1])
                break
        self.names, self.hints = names, hints

    def _end_of_chain(self, node: ast.Call | ast.Attribute, at: ast.AST, attributes: list[str]) -> None:
        if not isinstance(at, ast.Name):
            self.visit(at)
            return
        root = at.id
        if root in ("self", "cls") and attributes:
            root = f"self.{attributes.pop(0)}"
        if self.within:
            self.within[-1].inside.append(self.recogniser.full(node, self.scope))
            self.within[-1].links.append(root)
        if root == "pytest" and len(attributes) > 1 and attributes[0] == "mark":
            self.notes.markers.add(attributes[1])
        if attributes:
            call = node if isinstance(node, ast.Call) else None
            self.notes.facts.setdefault(root, []).append(Fact(self.scope, tuple(attributes), call))

    def _call(self, node: ast.Call, names: list[str], hints: list[str], behind: list[str]) -> bool:
        """Visit a call's arguments, and return whether the call is a mock's: then nothing before it is of interest."""
        if behind and behind != ["start"]:
            names, hints = [], []  # It is what a method returns that has the names.
        draft = self.recogniser.call(node, self.scope)
        if draft and draft.form is Form.INHERITED and draft.api in self.told:
            draft = None
        if draft is None:
            self._arguments(node, names)
            if isinstance(node.func, ast.Attribute) and node.func.attr == "start":
                self.started(node.func.value, names)
            return False
        if draft.form is Form.INHERITED:
            self.told.add(draft.api)
        self._name_draft(draft, names, hints)
        self.add(draft, node)
        return True

    def _name_draft(self, draft: Draft, names: list[str], hints: list[str]) -> None:
        draft.names += names
        draft.hints += hints
        if draft.form is Form.MOCK and not draft.target:
            # A part of something that has a type: `repository.session = Mock()`.
            owners = [resolve(name, self.scope) for name in names if name.count(".") > name.startswith("self.")]
            draft.place = next((full for full in owners if full), "")

    def _arguments(self, node: ast.Call, names: list[str]) -> None:
        last = dotted(node.func).rpartition(".")[2]
        passes = last in _STACKS or last in _PASSING
        if last in _CONFIGURES or (last == "setattr" and self._is_mocks(node)):
            for value in (*node.args[-1:], *(one.value for one in node.keywords)):
                self.visit_within(value)
            return
        for one in node.args:
            self.visit_as(one, names if passes else [])
        for named in node.keywords:
            self.visit_as(named.value, [], [named.arg] if named.arg else None)

    def _is_mocks(self, node: ast.Call) -> bool:
        """Return whether `setattr(…)` sets a part of a mock."""
        first = node.args[0] if len(node.args) == 3 else None
        return first is not None and self.owner_of(ast.Attribute(first, "part", ast.Store())) is not None
