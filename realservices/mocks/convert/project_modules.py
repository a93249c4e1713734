"""The project's modules by name, as syntax trees: where a name that a test imports is defined, and what it is."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.mocks.scan.scopes import absolute, import_bindings, written

if TYPE_CHECKING:
    from pathlib import Path

    from realservices.mocks.scan import Project as Files


@dataclass(slots=True)
class Module:
    """A module of the project.

    Attributes:
        name: Its dotted name.
        path: Its file.
        tree: What stands in it.
        imports: Full name by the name that it has in the module.
        definitions: Functions and classes at the top.
        constants: Expressions that are assigned once at the top.
    """

    name: str
    path: Path
    tree: ast.Module
    imports: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, ast.AST] = field(default_factory=dict)
    constants: dict[str, ast.expr] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class, and the module that it stands in."""

    module: Module
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Project:
    """Finds modules as a test file would import them.

    Args:
        files: The project's files.
        near: The test file, relative to the project's root.
        known: Modules that have been read for other test files, by path.
    """

    def __init__(self, files: Files, near: Path, known: dict[Path, Module | None]) -> None:
        self._files, self._near, self._known = files, near, known

    def module(self, name: str) -> Module | None:
        """Return a module of the project, None for those of others."""
        path = (self._files.find(name, self._near) or self._from_root(name)) if name else None
        if path is None:
            return None
        if path not in self._known:
            self._known[path] = read_module(name, self._files.root / path)
        return self._known[path]

    def _from_root(self, name: str) -> Path | None:
        """Return a module's file below the root itself: a root that is a package hides it from others."""
        parts = name.split(".")
        stem = self._files.root.joinpath(*parts)
        found = next((each for each in (stem.with_suffix(".py"), stem / "__init__.py") if each.is_file()), None)
        return found.relative_to(self._files.root) if found else None

    def resolve(self, name: str) -> Definition | None:
        """Return what a full name stands for, where that is a function or class of the project."""
        owner, tail = self._followed(name)
        node = owner.definitions.get(tail) if owner is not None else None
        if owner is None or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return None
        return Definition(owner, node)

    def constant(self, name: str) -> ast.expr | None:
        """Return the expression that a full name was assigned, where there is one."""
        owner, tail = self._followed(name)
        return owner.constants.get(tail) if owner is not None else None

    def _followed(self, name: str) -> tuple[Module | None, str]:
        """Return the module in which a name is bound, and what it is called there: as the scan finds it."""
        for full in (name, self._files.definition(name, self._near).full):
            head, _, tail = full.rpartition(".")
            owner = self.module(head) if head else None
            if owner is not None and (tail in owner.definitions or tail in owner.constants):
                return owner, tail
        return None, ""


def read_module(name: str, path: Path) -> Module | None:
    """Return a file as a module, None where it cannot be parsed."""
    try:
        return make_module(name, path, path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None


def make_module(name: str, path: Path, text: str) -> Module:
    """Return a text as a module.

    Raises:
        SyntaxError: It is not Python.
    """
    module = Module(name, path, ast.parse(text))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for bound, full in import_bindings(node):
                module.imports.setdefault(bound, full)
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, name, is_package=path.name == "__init__.py")
            for alias in node.names:
                module.imports.setdefault(alias.asname or alias.name, f"{source}.{alias.name}")
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            module.definitions[node.name] = node
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            module.constants[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            module.constants[node.target.id] = node.value
    return module


def full_name(node: ast.expr, imports: dict[str, str]) -> str:
    """Return the dotted name of an expression with its first part as imported, "" where it is no name."""
    head, dot, rest = written(node).partition(".")
    return f"{imports.get(head, head)}{dot}{rest}"
