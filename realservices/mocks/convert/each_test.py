"""The tests of a file, and whether those of a class can take fixtures."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.project_modules import Definition, Module, full_name
from realservices.mocks.convert.test_facts import Function

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.convert.project_modules import Project

_TEST_CASES = ("TestCase", "IsolatedAsyncioTestCase")


@dataclass(frozen=True, slots=True)
class Test:
    """A test function: its name with its class, the function, and the class."""

    # pytest must not take this class for a test.
    __test__ = False

    name: str
    node: Function
    owner: ast.ClassDef | None


def each_test(tree: ast.Module) -> Iterator[Test]:
    """Yield the tests of a file, as pytest finds them."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield Test(node.name, node, None)
        elif isinstance(node, ast.ClassDef):
            is_case = any(ast.unparse(base).rpartition(".")[2] in _TEST_CASES for base in node.bases)
            for inner in node.body if node.name.startswith("Test") or is_case or node.bases else ():
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.name.startswith("test"):
                    yield Test(f"{node.name}.{inner.name}", inner, node)


def _is_plain(base: ast.expr, module: Module, project: Project) -> bool:
    """Return whether a base is a class of the project's own, or none, whose tests can take fixtures."""
    name = full_name(base, module.imports)
    if name in ("object", "typing.Generic", "abc.ABC"):
        return True
    found = module.definitions.get(name)
    definition = Definition(module, found) if isinstance(found, ast.ClassDef) else project.resolve(name)
    if definition is None:
        constant = module.constants.get(name)
        return constant is not None and _is_plain(constant, module, project)
    bases = definition.node.bases if isinstance(definition.node, ast.ClassDef) else []
    return all(_is_plain(each, definition.module, project) for each in bases)


def is_test_case(owner: ast.ClassDef | None, module: Module) -> bool:
    """Return whether a class is a TestCase of unittest itself, or one with a loop for each test."""
    bases = [full_name(base, module.imports) for base in owner.bases] if owner is not None else []
    return bases in [[f"unittest.{name}"] for name in _TEST_CASES]


def check_class(test: Test, module: Module, project: Project) -> None:
    """Raise for a test whose class stands in the way.

    Raises:
        Unconvertible: Its base runs no asynchronous tests, or is not known.
    """
    if test.owner is None:
        return
    names = {ast.unparse(base).rpartition(".")[2] for base in test.owner.bases}
    if is_test_case(test.owner, module) and (isinstance(test.node, ast.FunctionDef) or names == {_TEST_CASES[1]}):
        return
    if any(not _is_plain(base, module, project) for base in test.owner.bases):
        raise Unconvertible(
            test.owner.lineno, f"class {test.owner.name}({', '.join(sorted(names))})",
            "TestCase runs no asynchronous tests, and those of unknown bases may take no fixtures",
            "make it a plain class whose tests take fixtures",
        )  # fmt: skip
