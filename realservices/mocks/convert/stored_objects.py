"""The objects of mapped classes that are stored before a test begins: what its mocked session answered with."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.expressions import are_constant, source_of
from realservices.mocks.convert.failing_clients import client_of
from realservices.mocks.convert.handles import Handle
from realservices.mocks.convert.mock_paths import CALLED, ENTERED, Fact, Kind
from realservices.mocks.convert.object_values import fitting_value, is_made_up
from realservices.mocks.convert.ordering import order_in, other_way_round
from realservices.mocks.convert.orm_models import Model
from realservices.mocks.convert.raising_mocks import plan_failure
from realservices.mocks.convert.referred_objects import ReferredObjects
from realservices.mocks.convert.row_plan import columns_of
from realservices.mocks.convert.second_objects import second_object
from realservices.mocks.convert.second_rows import REMARK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.convert.test_facts import Mock
    from realservices.mocks.convert.test_plan import TestPlan

_ONE = {"first", "one", "one_or_none", "scalar_one_or_none", "scalar_one", "get", "scalar"}
_MANY = {"all", "fetchall"}
_SILENT = {
    "add", "add_all", "commit", "flush", "refresh", "rollback", "close", "delete", "begin", "execute", "query",
    "scalars", "filter", "filter_by", "options", "order_by", "expunge", "merge", "unique", "join", "limit",
    "offset", "where",
}  # fmt: skip
_TAKING = ("add", "delete", "refresh", "merge", "expunge")


class StoredObjects(ReferredObjects):
    """The objects that are stored before a test begins.

    Args:
        mock: The mock that answered with them.
        plan: What is filled.
        handle: The session.
    """

    def __init__(self, mock: Mock, plan: TestPlan, handle: Handle) -> None:
        super().__init__(mock, plan, handle)
        # Of each class that is searched: where the first object is stored, and its attributes.
        self._firsts: dict[str, tuple[int, dict[str, str]]] = {}
        # What the test calls an object that is written out in a list of its own.
        self._places: dict[int, str] = {}
        # Those of which the mock says that the object is not there.
        self._absent: set[str] = set()

    def add(self) -> None:
        """Store what the facts answer with."""
        self._check_given()
        self._add_related()
        for fact in self._mock.facts:
            words = [word for word in fact.path if word not in (CALLED, ENTERED)]
            word = words[-1] if words else ""
            if not word or (word == "refresh" and fact.kind is Kind.EFFECT):
                continue
            if fact.kind is Kind.EFFECT and not (isinstance(fact.value, ast.Constant) and fact.value.value is None):
                plan_failure(self._mock, fact, word, client_of(self._handle.style), self._plan)
                continue
            if word in _ONE:
                self._store(fact.value, fact)
            elif word in _MANY or isinstance(fact.value, ast.List):
                for each in self._to_store(fact):
                    self._store(each, fact)
            elif word == "count":
                self._store_many(fact)
            elif word not in _SILENT:
                raise Unconvertible(
                    fact.line, word, "it cannot be told what this means for a session", "convert by hand"
                )

    def _add_parents(self) -> None:
        """Store what the objects refer to that the code stores itself."""
        for call in self._calls:
            if call.method != "add" or not call.node.args:
                continue
            model, made = self.added(call)
            values = self.given(made, model) if model is not None and made is not None else {}
            for attribute in model.attributes.values() if model is not None else ():
                if attribute.refers_to and attribute.name in values and model is not None:
                    self.parent(model, attribute.name, values[attribute.name], 1)

    def _check_given(self) -> None:
        """Raise for an object of no mapped class that the code gives to the session, which a mock takes.

        Raises:
            Unconvertible: There is one.
        """
        for call in self._calls:
            name = source_of(call.node.args[0]) if call.method in _TAKING and call.node.args else None
            made = self._made(name)
            if isinstance(made, ast.Call) and self._mapped(made.func) is None and is_made_up(made):
                why = "an object of no mapped class is given to the session, which takes none"
                raise Unconvertible(made.lineno, name or "", why, "make an object of the mapped class")

    def _add_related(self) -> None:
        """Store the test's own objects with which the code makes others: to store those stores these, too."""
        for call in self._calls:
            made = call.node.args[0] if call.method == "add" and call.node.args else None
            model = self.model_in(made, call) if isinstance(made, ast.Call) else None
            words = {word.arg: source_of(word.value) for word in getattr(made, "keywords", ()) if word.arg}
            if model is not None:
                self.relate(model, {name: value for name, value in words.items() if value is not None})

    def _add_second(self) -> None:
        """Store an object that the code must not find before the first one, where that is safe."""
        model, _ = self._queried()
        if model is None or model.name not in self._firsts.keys() | self._absent:
            return
        at, first = self._firsts.get(model.name, (len(self._lines), {}))
        given = second_object(model, first, self._plan, self._calls)
        if given is None:
            return
        end = len(self._lines)
        for name in given:
            if model.attributes[name].refers_to:
                self.parent(model, name, given[name], 1)
        pairs = ", ".join(f"{name}={value}" for name, value in given.items())
        self._lines.append(f"{self._handle.name}.add({model.name}({pairs})){REMARK}")
        self._lines = [*self._lines[:at], *self._lines[end:], *self._lines[at:end]]

    def finish(self) -> None:
        """Put the lines into the plan: the tables first, where no migration makes them."""
        self._add_parents()
        self._add_second()
        for model in self.models.values():
            line = model.import_line
            if self._plan.module.imports.get(model.name) is None:
                self._plan.imports.add(line)
        missing = [model for model in self.models.values() if self._plan.schema.table(model.table) is None]
        if missing and (created := self._created(missing[0])) not in self._plan.setup:
            self._plan.setup.append(created)
        if self._lines:
            self._plan.seeds += [
                *self._lines,
                f"{'await ' if self._handle.is_async else ''}{self._handle.name}.commit()",
            ]

    def _created(self, model: Model) -> str:
        if not self._handle.is_async:
            return f"{model.name}.metadata.create_all({self._handle.name}.get_bind())"
        engine = self._plan.take("isolated_engine_async")
        made = f"await connection.run_sync({model.name}.metadata.create_all)"
        return f"async with {engine}.begin() as connection:\n    {made}"

    def _to_store(self, fact: Fact) -> list[ast.expr]:
        """Return the objects of an answer in the order in which they are stored."""
        objects = list(self._listed(fact))
        order = next((found for call in self._calls if (found := order_in(call.node))), None)
        if order is None:
            return objects
        made = [self._assigned(each) or each for each in objects]
        words = [{word.arg: word.value for word in getattr(each, "keywords", ())} for each in made]
        cells = [each.get(order[0]) for each in words]
        return other_way_round(objects, cells, descends=order[1], column=order[0], line=fact.line)

    def _listed(self, fact: Fact) -> Iterator[ast.expr]:
        value = self._assigned(fact.value) or fact.value
        if not isinstance(value, ast.List | ast.Tuple):
            raise Unconvertible(
                fact.line, ast.unparse(fact.value), "the objects are not written out", "store them by hand"
            )
        if value is not fact.value:
            # The test may compare these very objects with what the code returns.
            self._places |= {id(each): f"{ast.unparse(fact.value)}[{at}]" for at, each in enumerate(value.elts)}
        yield from value.elts

    def _store(self, value: ast.expr, fact: Fact) -> None:
        if isinstance(value, ast.Constant) and value.value is None:
            queried, _ = self._queried()
            if queried is not None:
                self._absent.add(queried.name)
            return
        made = self._assigned(value) or value
        record = columns_of(made)
        if isinstance(made, ast.Call) and (model := self._mapped(made.func)):
            self.models[model.name] = model
            if self._is_stored_by_code(model):
                return
            values = {word.arg: ast.unparse(word.value) for word in made.keywords if word.arg}
            variable = ast.unparse(value) if made is not value else self._places.get(id(value), "")
            self._store_object(model, values, variable, fact)
        elif record is not None:
            queried, _ = self._queried()
            if queried is None:
                raise Unconvertible(
                    fact.line, ast.unparse(value), "the class of this object was not found", "store it by hand"
                )
            known = {name: ast.unparse(each) for name, each in record.items() if name in queried.attributes}
            self._store_object(queried, known, "", fact)
        else:
            raise Unconvertible(fact.line, ast.unparse(value), "no object of a mapped class", "store it by hand")

    def _is_stored_by_code(self, model: Model) -> bool:
        """Return whether the code reads what it has just stored itself: to store that before would collide."""
        for call in self._calls:
            if call.node.args and self.model_in(call.node, call) == model:
                return call.method in ("add", "add_all")
        return False

    def _store_object(self, model: Model, values: dict[str, str], variable: str, fact: Fact) -> None:
        queried, compared = self._queried()
        extra: dict[str, str] = {}
        if queried is not None and queried.name == model.name:
            for name, wanted in compared.items():
                if name not in values:
                    extra[name] = wanted
                elif values[name] != wanted and are_constant(values[name], wanted):
                    why = f"the mock answers {name}={values[name]} where the code asks for {name}={wanted}"
                    raise Unconvertible(
                        fact.line, f"{name}={values[name]}", why, "give the mock's answer and the test the same value"
                    )
        for name, value in values.items():
            if (
                fitting := fitting_value(model.attributes.get(name), value, f"{variable}.{name}" if variable else "")
            ) != value:
                extra[name] = fitting
                self._plan.imports.add(f"import {fitting.split('.')[0]}")
        extra |= {name: key for name, key in self.relate(model, values).items() if name not in values | extra}
        number = self.counts.get(model.name, 0) + 1
        extra |= self.fillers(model, values | extra, number)
        self.counts[model.name] = number
        self._stored |= {(model.table, f"{name}={value}") for name, value in (values | extra).items()}
        name = self._handle.name
        self._firsts.setdefault(model.name, (len(self._lines), values | extra))
        if variable:
            self._lines += [f"{variable}.{attribute} = {value}" for attribute, value in extra.items()]
            self._lines.append(f"{name}.add({variable})")
        else:
            given = ", ".join(f"{attribute}={value}" for attribute, value in (values | extra).items())
            self._lines.append(f"{name}.add({model.name}({given}))")

    def _store_many(self, fact: Fact) -> None:
        queried, compared = self._queried()
        if queried is None or not isinstance(fact.value, ast.Constant) or not isinstance(fact.value.value, int):
            raise Unconvertible(fact.line, "count", "it cannot be told what is counted", "store the objects by hand")
        for _ in range(fact.value.value):
            self._store_object(queried, dict(compared), "", fact)
