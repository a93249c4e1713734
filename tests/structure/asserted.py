"""Which tests assert something: by themselves, or by a helper that is found through their imports.

An assertion is an `assert`, a `pytest.raises`, `warns` or `fail`, a match of the lines that pytest has written, a call of
something named `assert…`, or a call of a function that asserts. A name is followed to where it is defined: in the file, through an import of the tests' own
modules, or, for a method and for a fixture, in those modules and in the `conftest.py` of the folders above.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.scratch import ROOT

_OF_PYTEST = {"raises", "warns", "fail", "fnmatch_lines", "no_fnmatch_line", "re_match_lines"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def parsed(path: Path) -> ast.Module:
    """Return a file as a tree."""
    return ast.parse(path.read_text("utf-8"))


@cache
def _functions(path: Path) -> dict[str, list[_Function]]:
    """Return all functions and methods of a file by name."""
    found: dict[str, list[_Function]] = {}
    for node in ast.walk(parsed(path)):
        if isinstance(node, _Function):
            found.setdefault(node.name, []).append(node)
    return found


def _file_of(module: str, path: Path) -> Path | None:
    """Return the file of a module that belongs to the tests: by its dotted name, or beside the file that imports it."""
    for base in (ROOT, path.parent, ROOT / "examples" / "monorepo"):
        for candidate in (base / f"{module.replace('.', '/')}.py", base / module.replace(".", "/") / "__init__.py"):
            if candidate.is_file() and "realservices" not in candidate.relative_to(ROOT).parts[:1]:
                return candidate
    return None


@cache
def _imports(path: Path) -> dict[str, tuple[Path, str]]:
    """Return what a file imports from the tests' own modules: name, file, and name there ("" for the module)."""
    found: dict[str, tuple[Path, str]] = {}
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = alias.asname or alias.name
                if file := _file_of(f"{node.module}.{alias.name}", path):
                    found[name] = file, ""
                elif file := _file_of(node.module, path):
                    found[name] = file, alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if file := _file_of(alias.name, path):
                    found[alias.asname or alias.name] = file, ""
    return found


@cache
def _reachable(path: Path) -> tuple[Path, ...]:
    """Return a file, those of the tests that it imports, directly or not, and the `conftest.py` above it."""
    found = [path]
    for each in found:
        conftests = [above / "conftest.py" for above in each.parents if above.is_relative_to(ROOT)]
        more = [file for file, _ in _imports(each).values()] + [file for file in conftests if file.is_file()]
        found += [file for file in dict.fromkeys(more) if file not in found]
    return tuple(found)


def _asserts_itself(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if isinstance(node, ast.Call):
        name = _called(node)[-1]
        return name in _OF_PYTEST or name.startswith("assert")
    return False


def _called(node: ast.Call) -> list[str]:
    """Return the dotted name of what is called, as far as it is one."""
    parts: list[str] = []
    function: ast.expr = node.func
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    parts.append(function.id if isinstance(function, ast.Name) else "")
    return parts[::-1]


def _definitions(name: list[str], path: Path) -> Iterator[tuple[_Function, Path]]:
    """Yield the functions that a name may mean in a file."""
    if len(name) == 1 or (name[0] in _imports(path) and not _imports(path)[name[0]][1]):
        file, inner = _imports(path).get(name[0], (path, name[0]))
        yield from ((function, file) for function in _functions(file).get(inner or name[-1], ()))
    else:
        for file in _reachable(path):
            yield from ((function, file) for function in _functions(file).get(name[-1], ()))


def _fixtures(function: _Function, path: Path) -> Iterator[tuple[_Function, Path]]:
    """Yield the fixtures that a function asks for."""
    arguments = {each.arg for each in (*function.args.args, *function.args.kwonlyargs)}
    for file in _reachable(path):
        for name, found in _functions(file).items():
            yield from ((each, file) for each in found if name in arguments and each.decorator_list)


def asserts(function: _Function, path: Path, seen: frozenset[int] = frozenset()) -> bool:
    """Return whether a function asserts something, by itself or by what it calls."""
    if id(function) in seen:
        return False
    nodes = list(ast.walk(function))
    if any(map(_asserts_itself, nodes)):
        return True
    seen |= {id(function)}
    calls = (
        definition for node in nodes if isinstance(node, ast.Call) for definition in _definitions(_called(node), path)
    )
    return any(asserts(each, file, seen) for each, file in (*calls, *_fixtures(function, path)))


def unasserted_tests(path: Path) -> list[str]:
    """Return the names of a file's tests that assert nothing."""
    functions = [each for found in _functions(path).values() for each in found if each.name.startswith("test_")]
    return [f"{each.name} (line {each.lineno})" for each in functions if not asserts(each, path)]
