"""The part of the walk that meets statements: imports, assignments, `with`, what functions return."""

from __future__ import annotations

import ast

from realservices.mocks.scan import apis
from realservices.mocks.scan.draft import Fact, literal
from realservices.mocks.scan.scopes import INSTANCE, absolute, annotation_text, dotted, import_bindings, resolve
from realservices.mocks.scan.walker import MOCK, Walker
from realservices.mocks.scan_model import Form


class Statements(Walker):
    """Statements that bind names, or make mocks by their form."""

    def visit_import(self, node: ast.Import) -> None:
        """Bind what is imported."""
        for name, full in import_bindings(node):
            self.bind(name, full)

    def visit_import_from(self, node: ast.ImportFrom) -> None:
        """Bind what is imported, also by a star."""
        module = absolute(node, self.module, self.path.name == "__init__.py")
        for alias in node.names:
            if alias.name != "*":
                self.bind(alias.asname or alias.name, f"{module}.{alias.name}")
                continue
            for name in apis.exported_by_star(module):
                self.bind(name, f"{module}.{name}")
            for name, full in self.inherited.star(module):
                self.bind(name, full)

    def visit_try(self, node: ast.Try) -> None:
        """Visit a `try`; what its handlers bind is a substitute for what is meant."""
        self.visit_all(node.body)
        before, self.keeps_bindings = self.keeps_bindings, True
        self.visit_all(node.handlers)
        self.keeps_bindings = before
        self.visit_all([*node.orelse, *node.finalbody])

    def visit_assign(self, node: ast.Assign) -> None:
        """Visit an assignment, with the names that it gives its value."""
        for target in node.targets:
            self._note_assigned(target, node.value)
        pairs = _pairs(node)
        owners = [self.owner_of(target) for target in node.targets if not isinstance(target, ast.Name)]
        if pairs:
            for one, value in pairs:
                self._value([dotted(one)], value)
        elif any(owners):
            self.visit_within(node.value, owners[0])
        else:
            hints = [literal(one.slice) for one in node.targets if isinstance(one, ast.Subscript)]
            self._value([dotted(target) for target in node.targets], node.value, [one for one in hints if one])
            self._bind_elements(node)
        for target in node.targets:
            if not isinstance(target, ast.Name):
                self.visit(target)

    def _bind_elements(self, node: ast.Assign) -> None:
        """Bind the names of `a, b = make()`."""
        called = dotted(node.value.func) if isinstance(node.value, ast.Call) else ""
        types = self.notes.types.get(called, ())
        for target in node.targets:
            for number, one in enumerate(target.elts if isinstance(target, ast.Tuple) else ()):
                if isinstance(one, ast.Name):
                    self.bind(one.id, types[number] if number < len(types) else "")

    def visit_annotated(self, node: ast.AnnAssign) -> None:
        """Visit an assignment with a type."""
        name = dotted(node.target)
        if node.value:
            self._note_assigned(node.target, node.value)
            self._value([name], node.value)
        full = resolve(annotation_text(node.annotation), self.scope)
        if name and full and not self.scope.lookup(name):
            self.bind(name, full + INSTANCE)

    def _value(self, names: list[str], value: ast.expr, hints: list[str] | None = None) -> None:
        names = [name for name in names if name]
        self.visit_as(value, names, hints)
        full = self.recogniser.value(value, self.scope)
        if isinstance(value, ast.Call) and not full.startswith("unittest.") and len(types := self._types(value)) == 1:
            full = types[0] or full
        for name in names:
            if name.count(".") == name.startswith("self."):
                self.bind(name, full)
        if not self.within:
            for draft in self.recogniser.sqlite_in_assignment(names, hints or [], value, self.scope):
                self.add(draft)

    def _types(self, value: ast.Call) -> list[str]:
        return self.notes.types.get(dotted(value.func).removeprefix("self."), [])

    def _note_assigned(self, target: ast.AST, value: ast.expr) -> None:
        parts = dotted(target).split(".")
        count = 2 if parts[0] == "self" else 1
        if len(parts) > count:
            fact = Fact(self.scope, tuple(parts[count:]), None, value)
            self.notes.facts.setdefault(".".join(parts[:count]), []).append(fact)

    def visit_with(self, node: ast.With | ast.AsyncWith) -> None:
        """Visit a `with`, whose items may be patches."""
        for item in node.items:
            self._with_item(item)
        self.visit_all(node.body)

    def _with_item(self, item: ast.withitem) -> None:
        expression = item.context_expr
        draft = self.recogniser.installed(expression, self.scope)
        names = [dotted(item.optional_vars)] if item.optional_vars and dotted(item.optional_vars) else []
        if draft is None:
            self.visit_as(expression, names)
            self.started(expression, names)
        else:
            if draft.form is Form.PATCH_CALL:
                draft.form = Form.PATCH_CONTEXT
            draft.names += names
            self.add(draft, expression if isinstance(expression, ast.Call) else None)
        full = self.recogniser.value(expression, self.scope)
        full = apis.MONKEYPATCH if full.startswith(apis.MONKEYPATCH) else full
        for name in names:
            if not (self.scope.lookup(name) == MOCK and draft is None):
                self.bind(name, MOCK if draft and draft.form is Form.PATCH_CONTEXT else full)

    def visit_return(self, node: ast.Return | ast.Yield) -> None:
        """Visit what a function returns, and remember it for those that get it."""
        self.visit_as(node.value, [], [self.function] if self.function else [])
        if not self.function or node.value is None:
            return
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        self.notes.returned.setdefault(self.function, set()).update(filter(None, map(dotted, values)))
        self.notes.types.setdefault(self.function, [self.recogniser.value(one, self.scope) for one in values])


def _pairs(node: ast.Assign) -> list[tuple[ast.expr, ast.expr]]:
    target = node.targets[0]
    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple) and len(target.elts) == len(node.value.elts):
        return list(zip(target.elts, node.value.elts, strict=True))
    return []
