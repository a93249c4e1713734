"""Where a project has the address of an API: constants, settings, defaults of parameters, environment variables."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from realservices.mocks.convert.function_statements import defaults
from realservices.mocks.convert.project_modules import full_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.convert.project_modules import Module
    from realservices.mocks.convert.test_facts import Function
    from realservices.mocks.convert.test_plan import TestPlan

_URL = re.compile(r"https?://[^/\s{}]+")
CLIENTS = {"requests", "httpx", "aiohttp", "urllib3"}
_ENVIRONMENT = ("os.environ.get", "os.getenv", "os.environ")
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Address:
    """Where an address comes from.

    Attributes:
        text: The address as it is there, "" where that is not known.
        targets: Names that are set by monkeypatch.
        variables: Environment variables that are set.
        texts: Constants of the test or its fixtures: the function, and the node.
        names: Constants of the test's file by name: the function, and the name.
        calls: Calls of the test that leave the address to a default: the function, and the node.
        parameter: The parameter that has the default.
    """

    text: str = ""
    targets: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    texts: list[tuple[Function, ast.Constant]] = field(default_factory=list)
    names: list[tuple[Function, str]] = field(default_factory=list)
    calls: list[tuple[Function, ast.Call]] = field(default_factory=list)
    parameter: str = ""

    def last_names(self) -> set[str]:
        """Return the last parts of the names that hold it."""
        return {each.rpartition(".")[2] for each in (*self.targets, *self.variables, self.parameter)}

    @property
    def prefix(self) -> str:
        """The path that belongs to the address."""
        return urlsplit(self.text).path.rstrip("/")


def origin_of(text: str) -> str:
    """Return scheme and host of a URL, "" where it has none."""
    found = _URL.match(text)
    return found[0] if found else ""


def fits(text: str, origin: str) -> bool:
    """Return whether a text is a URL of an origin, or any URL where that is not known."""
    return bool(text) and (text == origin or text.startswith(f"{origin}/") if origin else bool(_URL.match(text)))


@dataclass(slots=True)
class _Code:
    """The code that asks the API: functions of one module, and what these mention."""

    module: Module
    functions: list[ast.AST]
    mentioned: set[str]


def _code(plan: TestPlan) -> list[_Code]:
    found: dict[str, _Code] = {}
    for call in plan.calls:
        if {origin.partition(".")[0] for origin in call.module.imports.values()} & CLIENTS:
            code = found.setdefault(str(call.module.path), _Code(call.module, [], set()))
            inside = set(ast.walk(call.module.tree))
            for function in call.functions:
                if function in inside and function not in code.functions:
                    code.functions.append(function)
    for code in found.values():
        _add_mentioned(code)
    return list(found.values())


def _add_mentioned(code: _Code) -> None:
    """Add the functions of the module that known ones mention, and `__init__` of their classes."""
    known = [node for node in ast.walk(code.module.tree) if isinstance(node, _FUNCTIONS)]
    owners = [node for node in code.module.definitions.values() if isinstance(node, ast.ClassDef)]
    while True:
        nodes = [node for function in code.functions for node in ast.walk(function)]
        code.mentioned = {node.id for node in nodes if isinstance(node, ast.Name)}
        code.mentioned |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        classes = [each for each in owners if any(function in each.body for function in code.functions)]
        made = {node for each in classes for node in each.body if getattr(node, "name", "") == "__init__"}
        more = [each for each in known if (each.name in code.mentioned or each in made) and each not in code.functions]
        if not more:
            return
        code.functions += more


def of_project(plan: TestPlan, origin: str) -> list[Address]:
    """Return what sets the address in the code that the test calls."""
    found = [each for code in _code(plan) for each in _of_code(code, plan, origin)]
    return [each for each in found if each.text] or found


def _of_code(code: _Code, plan: TestPlan, origin: str) -> Iterator[Address]:
    settings = [*_of_module(code.module, plan, origin)]
    yield from (each for each in settings if each.targets[0].rpartition(".")[2] in code.mentioned)
    yield from _read_in(code, origin)


def _of_module(module: Module, plan: TestPlan, origin: str) -> Iterator[Address]:
    yield from _set_in(module, module.name, origin)
    for name, source in module.imports.items():
        value = plan.project.constant(source)
        if value is not None and (text := _address_in(value, module, origin)) is not None:
            yield Address(text, [f"{module.name}.{name}"])
        elif isinstance(value, ast.Call):
            yield from _of_instance(source, value, plan, origin)
        elif (other := plan.project.module(source)) is not None:
            yield from _set_in(other, source, origin)
    for name, value in module.constants.items():
        if isinstance(value, ast.Call):
            yield from _of_instance(f"{module.name}.{name}", value, plan, origin, near=module)


def _set_in(module: Module, name: str, origin: str) -> Iterator[Address]:
    """Yield the constants of a module, and of classes whose attributes they are."""
    for each, value in module.constants.items():
        if (text := _address_in(value, module, origin)) is not None:
            yield Address(text, [f"{name}.{each}"])
    made = {ast.unparse(value.func) for value in module.constants.values() if isinstance(value, ast.Call)}
    for node in module.definitions.values():
        if isinstance(node, ast.ClassDef) and node.name not in made:
            for each, text in _attributes(node, module, origin):
                yield Address(text, [f"{name}.{node.name}.{each}"])


def _of_instance(
    target: str, call: ast.Call, plan: TestPlan, origin: str, *, near: Module | None = None
) -> Iterator[Address]:
    """Yield the attributes of an object of settings: of its class."""
    head = target.rpartition(".")[0]
    module = near or plan.project.module(head)
    name = full_name(call.func, module.imports) if module is not None else ""
    node = module.definitions.get(name) if module is not None else None
    definition = plan.project.resolve(name) if node is None else None
    module = definition.module if definition is not None else module
    node = definition.node if definition is not None else node
    if isinstance(node, ast.ClassDef) and module is not None:
        for each, text in _attributes(node, module, origin):
            yield Address(text, [f"{target}.{each}"])


def _attributes(node: ast.ClassDef, module: Module, origin: str) -> Iterator[tuple[str, str]]:
    for statement in node.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        target = statement.target if isinstance(statement, ast.AnnAssign) else target
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        if isinstance(target, ast.Name) and value is not None:
            if isinstance(value, ast.Call) and ast.unparse(value.func).endswith(("Field", "field")):
                words = [word.value for word in value.keywords if word.arg == "default"]
                value = next(iter([*value.args, *words]), value)
            if (text := _address_in(value, module, origin)) is not None:
                yield target.id, text


def _address_in(value: ast.expr, module: Module, origin: str) -> str | None:
    """Return the address that an expression at the top of a module is, None where it is none."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value if fits(value.value, origin) else None
    found = _variable(value, module)
    return found[1] if found is not None and fits(found[1], origin) else None


def _variable(node: ast.AST, module: Module) -> tuple[str, str] | None:
    """Return the environment variable that an expression reads, and its default."""
    if isinstance(node, ast.Call) and node.args and full_name(node.func, module.imports) in _ENVIRONMENT:
        first, *rest = node.args
        default = rest[0].value if rest and isinstance(rest[0], ast.Constant) else ""
        return (str(first.value), str(default)) if isinstance(first, ast.Constant) else None
    if isinstance(node, ast.Subscript) and full_name(node.value, module.imports) == "os.environ":
        return (str(node.slice.value), "") if isinstance(node.slice, ast.Constant) else None
    return None


def of_defaults(plan: TestPlan, origin: str) -> Iterator[Address]:
    """Yield the parameters with the address as default, of what the test or its fixtures call."""
    found: dict[str, Address] = {}
    functions = [plan.reading.test, *(each.node for each in plan.reading.fixtures if each.module is plan.module)]
    for function in functions:
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            name = full_name(call.func, plan.module.imports)
            definition = plan.project.resolve(name)
            node = definition.node if definition is not None else plan.module.definitions.get(name)
            if isinstance(node, ast.ClassDef):
                made = (each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__")
                node = next(made, None)
            for name, default in defaults(node).items() if isinstance(node, _FUNCTIONS) else ():
                text = default.value if isinstance(default, ast.Constant) else None
                if isinstance(text, str) and fits(text, origin) and name not in {each.arg for each in call.keywords}:
                    found.setdefault(name, Address(text, parameter=name)).calls.append((function, call))
    yield from found.values()


def _read_in(code: _Code, origin: str) -> Iterator[Address]:
    """Yield the environment variables that functions read."""
    for node in (node for function in code.functions for node in ast.walk(function)):
        found = _variable(node, code.module)
        if found is None:
            continue
        name, default = found
        is_open = not default and re.search(r"URL|URI|HOST|ENDPOINT|BASE|API", name, re.I)
        if fits(default, origin) or is_open:
            yield Address(default, [], [name])


def written_in(plan: TestPlan, origin: str) -> str:
    """Return the place in the code where an address is written into a function."""
    for code in _code(plan):
        for node in (node for function in code.functions for node in ast.walk(function)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and fits(node.value, origin):
                return f"{code.module.path.name}:{node.lineno}"
    return ""
