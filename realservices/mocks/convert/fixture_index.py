"""The fixtures that a test uses: those of its arguments, of `usefixtures`, and the autouse ones, with theirs."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realservices.mocks.convert.project_modules import Module, full_name, read_module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_SET_UP = ("setup_method", "setup", "setUp", "asyncSetUp")


@dataclass(frozen=True, slots=True)
class Fixture:
    """A fixture.

    Attributes:
        name: How tests ask for it.
        node: The function.
        module: Where it stands.
        owner: The class that it stands in, "" at module level.
        autouse: It is used without being asked for.
        scope: As declared.
        is_set_up: It is a `setup_method`, which runs before each test of its class.
    """

    name: str
    node: _Function
    module: Module
    owner: str = ""
    autouse: bool = False
    scope: str = "function"
    is_set_up: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from others: file and line."""
        return str(self.module.path), self.node.lineno


class FixtureIndex:
    """The fixtures that tests of a file see.

    Args:
        module: The test file.
        root: The project's directory: conftest.py of it and of those between count.
    """

    def __init__(self, module: Module, root: Path) -> None:
        self._found = list(_fixtures(module))
        directory = module.path.parent
        while True:
            conftest = directory / "conftest.py"
            if conftest.is_file() and conftest != module.path and (read := read_module("conftest", conftest)):
                self._found += _fixtures(read)
            if directory == root or directory == directory.parent:
                break
            directory = directory.parent

    def of_test(self, test: _Function, owner: str, class_node: ast.ClassDef | None, module: Module) -> list[Fixture]:
        """Return the fixtures of a test, each behind those that it needs itself."""
        names = [each.arg for each in (*test.args.posonlyargs, *test.args.args, *test.args.kwonlyargs)]
        decorators = [*test.decorator_list, *(class_node.decorator_list if class_node else ())]
        names += [name for decorator in decorators for name in _used(decorator)]
        names += [name for mark in _module_marks(module) for name in _used(mark)]
        autouse = [each.name for each in self._found if (each.autouse or each.is_set_up) and each.owner in ("", owner)]
        ordered: list[Fixture] = []
        for name in (*autouse, *names):
            self._add(name, owner, ordered, ())
        return ordered

    def _add(self, name: str, owner: str, ordered: list[Fixture], path: tuple[str, ...]) -> None:
        fixture = self._see(name, owner)
        if fixture is None or name in path or fixture in ordered:
            return
        for each in fixture.node.args.args:
            self._add(each.arg, owner, ordered, (*path, name))
        ordered.append(fixture)

    def _see(self, name: str, owner: str) -> Fixture | None:
        matching = [each for each in self._found if each.name == name]
        own = [each for each in matching if each.owner and each.owner == owner]
        outer = [each for each in matching if not each.owner]
        return next(iter(own or outer), None)


def _fixtures(module: Module) -> Iterator[Fixture]:
    for node in module.tree.body:
        yield from _fixture(node, module, "")
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                yield from _fixture(inner, module, node.name)


def _fixture(node: ast.stmt, module: Module, owner: str) -> Iterator[Fixture]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if owner and node.name in _SET_UP:
        yield Fixture(node.name, node, module, owner, is_set_up=True)
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        name = full_name(call.func if call else decorator, module.imports)
        if name not in ("pytest.fixture", "pytest_asyncio.fixture"):
            continue
        words = {word.arg: word.value for word in call.keywords} if call else {}
        given, scope, autouse = words.get("name"), words.get("scope"), words.get("autouse")
        yield Fixture(
            str(given.value) if isinstance(given, ast.Constant) else node.name, node, module, owner,
            isinstance(autouse, ast.Constant) and autouse.value is True,
            str(scope.value) if isinstance(scope, ast.Constant) else "function" if scope is None else "?",
        )  # fmt: skip


def _used(decorator: ast.expr) -> list[str]:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("mark.usefixtures"):
        return [each.value for each in decorator.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return []


def _module_marks(module: Module) -> list[ast.expr]:
    marks = module.constants.get("pytestmark")
    return list(marks.elts) if isinstance(marks, ast.List) else [marks] if marks is not None else []
