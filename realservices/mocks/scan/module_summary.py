"""What a module of the project defines and imports, without its functions' bodies: enough to follow a patched name."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.mocks.scan.draft import literal
from realservices.mocks.scan.scopes import INSTANCE, absolute, annotation_text, dotted, import_bindings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(slots=True)
class ModuleSummary:
    """A module.

    Attributes:
        name: Its dotted name.
        path: Its file.
        names: What each of its names stands for, as text that is resolved in this module: an import's full name,
            an assigned value's call with `()` behind it.
        imported: Those of them that are imports, whose names are full.
        functions: Names of functions, with the text of what they return.
        classes: Names of classes, with the texts of their bases; methods and attributes as "Class.name".
        stars: Modules that are imported with a star.
        plugins: Modules that a conftest.py names as `pytest_plugins`.
    """

    name: str
    path: Path
    names: dict[str, str] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    functions: dict[str, str] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    plugins: list[str] = field(default_factory=list)


def summarize(tree: ast.Module, name: str, path: Path) -> ModuleSummary:
    """Return what a module defines and imports at its top level, in conditions and `try` too."""
    summary = ModuleSummary(name, path)
    _read(tree.body, summary, path.name == "__init__.py")
    return summary


def imports_of(tree: ast.Module, name: str, path: Path) -> list[str]:
    """Return the full names that a module imports at its top level."""
    summary = ModuleSummary(name, path)
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.If | ast.Try):
            _read([node], summary, path.name == "__init__.py")
    return [summary.names[bound] for bound in summary.imported]


def _read(body: Iterable[ast.stmt], summary: ModuleSummary, is_package: bool) -> None:
    for node in body:
        if isinstance(node, ast.Import):
            for bound, full in import_bindings(node):
                _bind_import(summary, bound, full)
        elif isinstance(node, ast.ImportFrom):
            _read_from(node, summary, is_package)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            summary.functions[node.name] = annotation_text(node.returns)
        elif isinstance(node, ast.ClassDef):
            _read_class(node, summary)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            _read_value(node, summary, "")
        else:
            for part in ("body", "orelse", "finalbody"):
                _read(getattr(node, part, ()), summary, is_package)
            for handler in getattr(node, "handlers", ()):
                _read(handler.body, summary, is_package)


def _read_from(node: ast.ImportFrom, summary: ModuleSummary, is_package: bool) -> None:
    module = absolute(node, summary.name, is_package)
    for alias in node.names:
        if alias.name == "*":
            summary.stars.append(module)
        else:
            _bind_import(summary, alias.asname or alias.name, f"{module}.{alias.name}")


def _bind_import(summary: ModuleSummary, name: str, full: str) -> None:
    # Of `try: import a except ImportError: a = None` and the like the first is what is meant.
    if name not in summary.names:
        summary.names[name] = full
        summary.imported.add(name)


def _read_value(node: ast.Assign | ast.AnnAssign, summary: ModuleSummary, prefix: str) -> None:
    text = annotation_text(node.annotation) + INSTANCE if isinstance(node, ast.AnnAssign) else value_text(node.value)
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Name):
            summary.names.setdefault(prefix + target.id, text)
            if target.id == "pytest_plugins" and node.value:
                summary.plugins += [literal(one) for one in getattr(node.value, "elts", [node.value]) if literal(one)]


def value_text(node: ast.AST | None) -> str:
    """Return what is assigned, as text: a dotted name, or a call's with `()`."""
    if isinstance(node, ast.Await):
        node = node.value
    if isinstance(node, ast.Call):
        called = dotted(node.func)
        return called + INSTANCE if called else ""
    return dotted(node) if node else ""


def _read_class(node: ast.ClassDef, summary: ModuleSummary) -> None:
    summary.classes[node.name] = tuple(filter(None, map(dotted, node.bases)))
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            summary.functions[f"{node.name}.{inner.name}"] = annotation_text(inner.returns)
            if inner.name == "__init__":
                _read_attributes(node.name, inner, summary)
        elif isinstance(inner, ast.Assign | ast.AnnAssign):
            _read_value(inner, summary, f"{node.name}.")


def _read_attributes(name: str, init: ast.FunctionDef | ast.AsyncFunctionDef, summary: ModuleSummary) -> None:
    hints = {argument.arg: annotation_text(argument.annotation) for argument in init.args.args}
    for node in init.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = dotted(node.targets[0])
            text = value_text(node.value)
            text = hints[text] + INSTANCE if hints.get(text) else text
            if target.startswith("self.") and target.count(".") == 1 and text:
                summary.names.setdefault(f"{name}.{target[5:]}", text)
