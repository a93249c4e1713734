"""What the code that a test calls does with a service: the statements and commands, with the test's own arguments.

Followed are functions and methods of the project, through parameters, local names and attributes that `__init__` sets.
Nothing is run. What cannot be followed is not there, and no conversion is built on it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.mocks.convert.caught import Caught, caught_around
from realservices.mocks.convert.expressions import inline
from realservices.mocks.convert.function_statements import (
    awaited,
    bound,
    calls_in,
    direct_call,
    dotted,
    entered,
    is_result,
    local_names,
    returned_names,
    sql_text,
    statements,
)
from realservices.mocks.convert.names_of_code import NamesOfCode
from realservices.mocks.convert.project_modules import Definition
from realservices.mocks.convert.service_calls import ServiceCall
from realservices.mocks.convert.sql_text import is_sql, parse_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.mocks.convert.fixture_index import Fixture
    from realservices.mocks.convert.project_modules import Module, Project

_DEEPEST = 6
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class _Frame:
    """A function that is being followed: its module, the class that it belongs to, and what its names stand for."""

    module: Module
    owner: Definition | None
    values: dict[str, ast.expr]
    classes: dict[str, Definition]
    line: int
    depth: int
    is_returned: bool
    caught: Caught = ()
    constants: dict[str, ast.expr] = field(default_factory=dict)


class CodeUnderTest:
    """Follows the calls of a test.

    Args:
        project: Where definitions are looked for.
        module: The test's own file.
    """

    def __init__(self, project: Project, module: Module) -> None:
        self._project = project
        self._module = module
        self._calls: list[ServiceCall] = []
        self._active: list[ast.AST] = []
        self._names = NamesOfCode(project, module)

    def calls(self, test: _Function, fixtures: Sequence[Fixture]) -> list[ServiceCall]:
        """Return the calls that lead out of the project, in the order of the text.

        Args:
            test: The test.
            fixtures: Those that it uses: what they return is what their names stand for.
        """
        self._calls, self._active = [], []
        self._names.local = {
            node.name: node for node in ast.walk(test) if isinstance(node, _Function) and node is not test
        }
        classes = {each.name: made for each in fixtures if (made := self._names.made_by(each))}
        for fixture in fixtures:
            classes |= self._names.set_up_by(fixture) if fixture.is_set_up else {}
        frame = _Frame(self._module, None, {}, classes, 0, 0, is_returned=True)
        frame.values = {name: ast.Name(name) for name in local_names(test)}
        self._follow_body(test, frame, is_test=True)
        return self._calls

    def _follow_body(self, function: _Function, frame: _Frame, *, is_test: bool = False) -> None:
        returned = returned_names(function)
        around = caught_around(function.body, frame.module.imports, frame.caught) if not is_test else {}
        outer = frame.caught
        for statement in statements(function.body):
            awaits, enters = awaited(statement), entered(statement)
            direct = direct_call(statement, returned)
            frame.caught = around.get(statement, outer)
            for call in calls_in(statement):
                if is_test:
                    frame.line = call.lineno
                self._follow_call(
                    call, frame, is_awaited=call in awaits, is_entered=call in enters,
                    is_returned=frame.is_returned and (is_test or call is direct),
                )  # fmt: skip
            self._note_assignment(statement, frame, is_test=is_test)

    def _note_assignment(self, statement: ast.stmt, frame: _Frame, *, is_test: bool) -> None:
        if isinstance(statement, ast.AnnAssign):
            target: ast.expr = statement.target
            value = statement.value
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        else:
            return
        name = dotted(target)
        if not name or value is None:
            return
        made = self._names.resolve(value.func, frame.module) if isinstance(value, ast.Call) else None
        if made is not None and isinstance(made.node, ast.ClassDef):
            frame.classes[name] = made
        elif isinstance(value, ast.Name) and value.id in frame.classes:
            frame.classes[name] = frame.classes[value.id]
        if not is_test and not is_result(value):
            frame.values[name] = inline(value, self._values(frame))

    def _values(self, frame: _Frame) -> dict[str, ast.expr]:
        if not frame.constants:
            plain = (ast.Constant, ast.JoinedStr, ast.BinOp)
            constants: dict[str, ast.expr] = {
                name: node for name, node in frame.module.constants.items() if isinstance(node, plain)
            }
            for name, origin in frame.module.imports.items():
                if isinstance(node := self._project.constant(origin), ast.Constant):
                    constants[name] = node
            if frame.owner is not None and isinstance(frame.owner.node, ast.ClassDef):
                for each in frame.owner.node.body:
                    if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
                        name = each.targets[0].id
                        constants[f"self.{name}"] = constants[f"cls.{name}"] = each.value
            frame.constants = {**constants, "": ast.Constant("")}
        return {**frame.constants, **frame.values}

    def _follow_call(
        self, call: ast.Call, frame: _Frame, *, is_awaited: bool, is_entered: bool, is_returned: bool
    ) -> None:
        target = self._target(call, frame)
        if target is not None and target.node not in self._active and frame.depth < _DEEPEST:
            self._enter(target, call, frame, is_returned=is_returned)
            return
        if not isinstance(call.func, ast.Attribute) or frame.depth == 0:
            return
        placed = inline(call, self._values(frame))
        if not isinstance(placed, ast.Call):
            return
        text = sql_text(placed)
        self._calls.append(
            ServiceCall(
                method=call.func.attr, receiver=ast.unparse(call.func.value), node=placed,
                statement=parse_sql(text) if text is not None and is_sql(text) else None, is_awaited=is_awaited,
                is_entered=is_entered, is_returned=is_returned, line=frame.line, module=frame.module,
                caught=frame.caught, functions=tuple(self._active),
            )
        )  # fmt: skip

    def _target(self, call: ast.Call, frame: _Frame) -> Definition | None:
        function = call.func
        if isinstance(function, ast.Attribute):
            base = dotted(function.value)
            if base in ("self", "cls") and frame.owner is not None:
                return self._names.method(frame.owner, function.attr)
            owner = frame.classes.get(base)
            if owner is None and isinstance(function.value, ast.Call):
                owner = self._names.resolve(function.value.func, frame.module)
            if owner is not None and isinstance(owner.node, ast.ClassDef):
                return self._names.method(owner, function.attr)
        return self._names.resolve(function, frame.module)

    def _enter(self, target: Definition, call: ast.Call, frame: _Frame, *, is_returned: bool) -> None:
        owner = self._owner(target, call, frame)
        node = target.node
        values = self._values(frame)
        arguments = [inline(argument, values) for argument in call.args if not isinstance(argument, ast.Starred)]
        named = {word.arg: inline(word.value, values) for word in call.keywords if word.arg}
        if isinstance(node, ast.ClassDef):
            made = self._names.method(target, "__init__")
            if made is None or not isinstance(made.node, ast.FunctionDef):
                return
            owner, node = target, made.node
            target = made
        inner = _Frame(
            target.module, owner, bound(node, arguments, named, is_method=owner is not None), {}, frame.line,
            frame.depth + 1, is_returned=is_returned and not isinstance(target.node, ast.ClassDef), caught=frame.caught,
        )  # fmt: skip
        if owner is not None:
            inner.classes = self._names.attribute_classes(owner)
            inner.values |= self._names.attribute_values(owner, inner.values)
        self._active.append(node)
        self._follow_body(node, inner)
        self._active.pop()

    def _owner(self, target: Definition, call: ast.Call, frame: _Frame) -> Definition | None:
        if not isinstance(call.func, ast.Attribute) or isinstance(target.node, ast.ClassDef):
            return None
        base = dotted(call.func.value)
        if base in ("self", "cls"):
            return frame.owner
        if isinstance(call.func.value, ast.Call):
            found = self._names.resolve(call.func.value.func, frame.module)
        else:
            found = frame.classes.get(base) or self._names.resolve(call.func.value, frame.module)
        return found if found is not None and isinstance(found.node, ast.ClassDef) else None
