"""The walk through a file's syntax tree: where it is, what names reach the expression at hand, what it has found."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.scan import apis, fakes
from realservices.mocks.scan.draft import Draft, Notes
from realservices.mocks.scan.recognise import Recogniser
from realservices.mocks.scan.scopes import INSTANCE, Scope, dotted
from realservices.mocks.scan_model import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from realservices.mocks.scan.inherited import Inherited
    from realservices.mocks.scan_model import Service

# Fields that hold no expression and no statement: strings, numbers, operators, whether a name is read or written.
_PLAIN = frozenset(
    {"ctx", "op", "ops", "id", "attr", "arg", "name", "names", "module", "level", "kind", "type_comment", "conversion",
     "is_async", "simple", "asname", "type_params", "type_ignores", "kwd_attrs", "kwd_names", "rest", "kwd_patterns"}
)  # fmt: skip
_HOLDING_OTHERS = {ast.NamedExpr: ("target", "value"), ast.MatchMapping: ("keys", "patterns")}
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {
    kind: _HOLDING_OTHERS.get(kind) or tuple(name for name in kind._fields if name not in _PLAIN)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
MOCK = "unittest.mock.Mock" + INSTANCE
"""What a name is bound to that holds a mock."""


class Walker:
    """The state of a walk, and what every part of it does.

    Args:
        module: The file's dotted name.
        path: Its path, relative to the project.
        inherited: What other files of the project hand on to it.
        context: What the file is about.
    """

    def __init__(self, module: str, path: Path, inherited: Inherited, context: Service) -> None:
        self.notes = Notes()
        self.module, self.path, self.inherited = module, path, inherited
        self.recogniser = Recogniser(module, inherited, context)
        self.scope = Scope("module")
        self.within: list[Draft] = []
        self.names: list[str] = []
        self.hints: list[str] = []
        self.function = ""
        self.fixture = ""
        self.class_patches: list[Draft] = []
        self.told: set[str] = set()
        self.keeps_bindings = False
        self.handlers: dict[type[ast.AST], Callable[..., None]] = {ast.Constant: lambda _: None}

    def visit(self, node: ast.AST) -> None:
        """Visit a node by its handler, or else all that is in it."""
        kind = type(node)
        handler = self.handlers.get(kind)
        if handler:
            handler(node)
            return
        for name in _FIELDS.get(kind, ()):  # A pattern may hold a plain True.
            value = getattr(node, name, None)
            if value.__class__ is list:
                self.visit_all(value)
            elif value is not None:
                self.visit(value)

    def visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        """Visit several nodes."""
        for node in nodes:
            if node is not None:
                self.visit(node)

    def visit_as(self, node: ast.AST | None, names: list[str], hints: list[str] | None = None) -> None:
        """Visit an expression that is reached by names, or spoken of by hints."""
        if node is None:
            return
        before = self.names, self.hints
        self.names, self.hints = names, hints or []
        self.visit(node)
        self.names, self.hints = before

    def visit_within(self, node: ast.AST, owner: Draft | None = None) -> None:
        """Visit an expression whose mocks belong to another one."""
        self.within.append(owner or Draft(node, Form.MOCK, "", self.scope))
        self.visit_as(node, [])
        self.within.pop()

    def bind(self, name: str, full: str) -> None:
        """Bind a name in the scope at hand; in an `except` only one that has no meaning yet."""
        if apis.is_library(full):
            self.notes.libraries.add(full)
        if not (self.keeps_bindings and self.scope.lookup(name)):
            self.scope.bind(name, full)

    def add(self, draft: Draft, call: ast.Call | None = None) -> None:
        """Take a use down, unless it is a part of another; then look into its arguments."""
        if self.within:
            self.within[-1].inside.append(draft.api)
            if draft.target:
                self.within[-1].inside.append(draft.target)
        else:
            draft.fixture = self.fixture
            self.notes.drafts.append(draft)
        if call:
            draft.call = call
            self.within.append(self.within[-1] if self.within else draft)
            for one in (*call.args, *(named.value for named in call.keywords)):
                self.visit_as(one, [])
            self.within.pop()

    def ask_for(self, name: str, at: ast.AST) -> None:
        """Note a fixture that a function asks for, if it is one that brings a mock."""
        self.notes.parameters.add(name)
        fixture = self.inherited.fixture(name, self.scope)
        if fixture:
            self.scope.bound[name] = MOCK
            if name not in self.told:
                self.told.add(name)
                self.add(Draft(at, Form.INHERITED, fixture.api, self.scope, names=[name], known=fixture.known))
            return
        library = fakes.FIXTURES.get(name)
        if library and name not in self.notes.fixtures and not self.inherited.has_fixture(name):
            known = (library.service, f"the fixture {name} of {library.module.partition('.')[0]}")
            self.add(Draft(at, Form.FAKE_LIBRARY, f"{library.module}.{name}", self.scope, names=[name], known=known))

    def started(self, node: ast.AST, names: list[str]) -> None:
        """Give a patcher the name of the mock that it returns when it is started or entered."""
        text = dotted(node)
        for draft in self.notes.drafts if text and names else ():
            if text in draft.names and draft.form is Form.PATCH_CALL:
                draft.names += names
                for name in names:
                    self.bind(name, MOCK)

    def owner_of(self, node: ast.AST) -> Draft | None:
        """Return the mock to a part of which something is assigned; one without a place of its own where it is open."""
        text = dotted_path(node)
        for draft in reversed(self.notes.drafts):
            if any(text.startswith(f"{name}.") for name in draft.names):
                return draft
        root = text.partition(".")[0] if not text.startswith("self.") else ".".join(text.split(".")[:2])
        if not text.startswith(f"{root}."):
            return None
        full = self.scope.lookup(root)
        is_mock = bool(full and full.endswith(INSTANCE) and apis.form_of(full[: -len(INSTANCE)]))
        if is_mock or (not full and "mock" in root.lower()):
            return Draft(node, Form.MOCK, "", self.scope)
        return None


def dotted_path(node: ast.AST) -> str:
    """Return the text of a target without its calls and subscripts: of `a.b().c[0]` it is "a.b.c.0"."""
    parts: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript):
            parts.append("[]")
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Await):
            node = node.value
        else:
            return ""
    parts.append("self" if node.id == "cls" else node.id)
    return ".".join(reversed(parts))
