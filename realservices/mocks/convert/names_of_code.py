"""What names in code under test stand for: functions, methods and classes of the project, and what attributes hold."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.function_statements import assigned, defaults, dotted
from realservices.mocks.convert.project_modules import Definition, full_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from realservices.mocks.convert.fixture_index import Fixture
    from realservices.mocks.convert.project_modules import Module, Project

_DEEPEST = 6


class NamesOfCode:
    """Looks up names.

    Args:
        project: Where definitions are looked for.
        module: The test's own file.

    Attributes:
        local: Functions that the test defines within itself.
    """

    def __init__(self, project: Project, module: Module) -> None:
        self._project, self._module = project, module
        self.local: dict[str, ast.AST] = {}

    def set_up_by(self, fixture: Fixture) -> dict[str, Definition]:
        """Return what class the attributes have that a `setup_method` makes."""
        found = {}
        for node in ast.walk(fixture.node):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                made = self.resolve(node.value.func, fixture.module)
                name = dotted(node.targets[0])
                if name.startswith("self.") and made is not None and isinstance(made.node, ast.ClassDef):
                    found[name] = made
        return found

    def made_by(self, fixture: Fixture) -> Definition | None:
        """Return the class of which a fixture gives an object."""
        for node in ast.walk(fixture.node):
            value = node.value if isinstance(node, ast.Return | ast.Yield) else None
            if isinstance(value, ast.Name):
                value = assigned(fixture.node, value.id)
            if isinstance(value, ast.Call):
                found = self.resolve(value.func, fixture.module)
                if found is not None and isinstance(found.node, ast.ClassDef):
                    return found
        return None

    def resolve(self, node: ast.expr, module: Module) -> Definition | None:
        """Return what a name stands for in a module, where that is a function or class of the project."""
        name = full_name(node, module.imports)
        if not name:
            return None
        own = self.local.get(name) if module is self._module else None
        own = own if own is not None else module.definitions.get(name)
        if isinstance(own, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return Definition(module, own)
        found = self._project.resolve(name)
        if found is None and "." in name:  # A method named by its class: `Users.create`.
            owner = self.resolve(node.value, module) if isinstance(node, ast.Attribute) else None
            return self.method(owner, name.rpartition(".")[2]) if owner is not None else None
        return found

    def method(self, owner: Definition | None, name: str, depth: int = 0) -> Definition | None:
        """Return a method of a class, its own or inherited."""
        if owner is None or not isinstance(owner.node, ast.ClassDef) or depth > _DEEPEST:
            return None
        for node in owner.node.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
                return Definition(owner.module, node)
        bases = (self.resolve(base, owner.module) for base in owner.node.bases)
        return next((found for base in bases if (found := self.method(base, name, depth + 1))), None)

    def attribute_classes(self, owner: Definition) -> dict[str, Definition]:
        """Return what class the attributes have that `__init__` makes."""
        made = self.method(owner, "__init__")
        found = {}
        for node in ast.walk(made.node) if made is not None else ():
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                definition = self.resolve(node.value.func, owner.module)
                if definition is not None and isinstance(definition.node, ast.ClassDef):
                    found[dotted(node.targets[0])] = definition
        return found

    def attribute_values(self, owner: Definition, known: Mapping[str, ast.expr]) -> dict[str, ast.expr]:
        """Return the attributes that `__init__` sets to constants, or to parameters with constant defaults."""
        made = self.method(owner, "__init__")
        if made is None or not isinstance(made.node, ast.FunctionDef):
            return {}
        given = defaults(made.node)
        found: dict[str, ast.expr] = {}
        for node in ast.walk(made.node):
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                name, value = dotted(node.targets[0]), node.value
                if isinstance(value, ast.Name):
                    value = given.get(value.id, value)
                if name.startswith("self.") and isinstance(value, ast.Constant) and name not in known:
                    found[name] = value
        return found
