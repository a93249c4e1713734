"""Mapped classes in the code and the test: which the code asks for, what it compares, which objects are made."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.expressions import free_name, source_of
from realservices.mocks.convert.orm_models import Model, model_of
from realservices.mocks.convert.project_modules import full_name

if TYPE_CHECKING:
    from realservices.mocks.convert.service_calls import ServiceCall
    from realservices.mocks.convert.test_plan import TestPlan

_DUMPS = ("dict", "model_dump", "asdict", "to_dict")


class QueriedObjects:
    """The classes that a test and its code name.

    Args:
        plan: With the test, and what its code does.

    Attributes:
        models: Those that were found, by name.
    """

    def __init__(self, plan: TestPlan) -> None:
        self._plan = plan
        self._calls = [call for call in plan.calls if call.method not in ("connect",)]
        self.models: dict[str, Model] = {}

    def given(self, node: ast.expr, model: Model) -> dict[str, str]:
        """Return the attributes with which the code makes an object, as far as they can be told."""
        if not isinstance(node, ast.Call):
            return {}
        words = [*node.keywords]
        for word in node.keywords:
            if word.arg is None and isinstance(word.value, ast.Call) and isinstance(word.value.func, ast.Attribute):
                # `Model(**data.model_dump())`, with the test's own `data`.
                base = word.value.func.value
                held = base if isinstance(base, ast.Call) else self._assigned(base)
                made = held if word.value.func.attr in _DUMPS else None
                words += made.keywords if isinstance(made, ast.Call) else []
        known = {word.arg: source_of(word.value) for word in words if word.arg in model.attributes}
        return {name: value for name, value in known.items() if name is not None and value is not None}

    def model_in(self, node: ast.AST, call: ServiceCall) -> Model | None:
        """Return the first mapped class that an expression of the code names."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name):
                name = call.module.imports.get(free_name(inner)) or f"{call.module.name}.{free_name(inner)}"
                if (model := model_of(self._plan.project.resolve(name), self._plan.project)) is not None:
                    self.models[model.name] = model
                    return model
        return None

    def added(self, call: ServiceCall) -> tuple[Model | None, ast.expr | None]:
        """Return the class of the object that the code gives to the session, and how it is made."""
        if (model := self.model_in(call.node, call)) is not None:
            return model, call.node.args[0]
        return self.handed(call.node.args[0])

    def handed(self, node: ast.expr) -> tuple[Model | None, ast.expr | None]:
        """Return the class of an object that the test makes and the code hands on, and how it is made."""
        made = self._made(source_of(node))
        model = self._mapped(made.func) if isinstance(made, ast.Call) else None
        if model is not None:
            self.models[model.name] = model
        return model, made

    def queried(self) -> Model | None:
        """Return the class that the code asks for."""
        return self._queried()[0]

    def _queried(self) -> tuple[Model | None, dict[str, str]]:
        """Return the class that the code asks for, and what it compares its attributes with."""
        for call in self._calls:
            asks = call.method in ("query", "select", "execute", "scalars", "scalar", "get", "exec")
            if asks and call.node.args and (model := self.model_in(call.node, call)) is not None:
                return model, self._compared(model)
        return None, {}

    def _compared(self, model: Model) -> dict[str, str]:
        found: dict[str, str] = {}
        for call in self._calls:
            for inner in ast.walk(call.node):
                if (
                    isinstance(inner, ast.Compare)
                    and isinstance(inner.ops[0], ast.Eq)
                    and isinstance(inner.left, ast.Attribute)
                ):
                    value = source_of(inner.comparators[0])
                    if isinstance(inner.left.value, ast.Name) and free_name(inner.left.value) == model.name and value:
                        found[inner.left.attr] = value
                elif (
                    isinstance(inner, ast.Call)
                    and isinstance(inner.func, ast.Attribute)
                    and inner.func.attr == "filter_by"
                ):
                    found |= {
                        word.arg: value for word in inner.keywords if word.arg and (value := source_of(word.value))
                    }
            if call.method == "get" and len(call.node.args) == 2 and (value := source_of(call.node.args[1])):
                keys = [each.name for each in model.attributes.values() if each.is_key]
                found |= {keys[0]: value} if keys else {}
        return {name: value for name, value in found.items() if name in model.attributes}

    def _mapped(self, function: ast.expr) -> Model | None:
        """Return the mapped class that a call makes an object of, as the test or one of its fixtures names it."""
        for module in (self._plan.module, *(each.module for each in self._plan.reading.fixtures)):
            name = full_name(function, module.imports)
            if (model := model_of(self._plan.project.resolve(name), self._plan.project)) is not None:
                return model
        return None

    def _made(self, source: str | None) -> ast.expr | None:
        """Return how the test makes what it calls so."""
        return self._assigned(ast.parse(source, mode="eval").body) if source else None

    def _assigned(self, value: ast.expr) -> ast.expr | None:
        if isinstance(value, ast.Attribute) and ast.unparse(value.value) == "self":
            return self._set_up(ast.unparse(value))
        if not isinstance(value, ast.Name):
            return None
        for fixture in self._plan.reading.fixtures:
            if fixture.name == value.id:
                given = [node.value for node in ast.walk(fixture.node) if isinstance(node, ast.Return | ast.Yield)]
                return given[0] if len(given) == 1 else None
        for node in ast.walk(self._plan.reading.test):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == value.id:
                return node.value
        return None

    def _set_up(self, attribute: str) -> ast.expr | None:
        """Return what the set-up of a class gives to an attribute."""
        for fixture in self._plan.reading.fixtures:
            for node in ast.walk(fixture.node) if fixture.is_set_up else ():
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == attribute:
                    return node.value
        return None
