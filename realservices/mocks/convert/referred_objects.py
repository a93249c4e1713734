"""Objects, or rows, that stored objects refer to: they are stored first."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.handles import ASYNCPG, ASYNCPG_SYNC, Handle
from realservices.mocks.convert.orm_models import Model, models_beside
from realservices.mocks.convert.queried_objects import QueriedObjects

if TYPE_CHECKING:
    from realservices.mocks.convert.test_facts import Mock
    from realservices.mocks.convert.test_plan import TestPlan

# A value that is not the same when it is written twice.
_CHANGING = re.compile(r"\b(uuid[14]|now|utcnow|time|token_\w+|random|randint|choice)\(")


class ReferredObjects(QueriedObjects):
    """Stores what objects refer to.

    Args:
        mock: The mock that answered with the objects.
        plan: What is filled.
        handle: The session.

    Attributes:
        counts: How many objects of each class are stored.
    """

    def __init__(self, mock: Mock, plan: TestPlan, handle: Handle) -> None:
        super().__init__(plan)
        self._mock, self._handle = mock, handle
        self._lines: list[str] = []
        self._stored: set[tuple[str, str]] = set()
        self.counts: dict[str, int] = {}

    def fillers(self, model: Model, values: dict[str, str], number: int) -> dict[str, str]:
        """Return the attributes that an object must have besides; what they refer to is stored first."""
        found: dict[str, str] = {}
        for attribute in model.attributes.values():
            if attribute.refers_to:
                found |= self.parent(model, attribute.name, values.get(attribute.name), number)
            elif attribute.is_required and attribute.name not in values:
                found[attribute.name] = model.filler(attribute.name, number)
        for value in found.values():
            if value.startswith(("datetime.", "uuid.")):
                self._plan.imports.add(f"import {value.split('.')[0]}")
        return found

    def relate(self, model: Model, values: dict[str, str]) -> dict[str, str]:
        """Store the test's own objects that an object is given by relationships, as in `Book(author=author)`.

        They are completed first, and not flushed: SQLAlchemy stores them together with the object, which may lack
        something yet, because a `backref` has put it into the other one.

        Returns:
            The foreign keys of the object that they give.
        """
        found: dict[str, str] = {}
        for word, variable in values.items():
            made = self._made(variable) if word not in model.attributes else None
            related = self._mapped(made.func) if isinstance(made, ast.Call) else None
            if related is None or not isinstance(made, ast.Call):
                continue
            keys = [each for each in model.attributes.values() if each.refers_to.startswith(f"{related.table}.")]
            for attribute in keys if len(keys) == 1 else ():
                found[attribute.name] = f"{variable}.{attribute.refers_to.rpartition('.')[2]}"
            self._complete(related, made, variable)
        return found

    def _complete(self, model: Model, made: ast.Call, variable: str) -> None:
        """Store an object of the test, with all that it must have."""
        if any(table == model.table and held.endswith(f"={variable}.id") for table, held in self._stored):
            return
        given = {word.arg: ast.unparse(word.value) for word in made.keywords if word.arg}
        number = self.counts.get(model.name, 0) + 1
        missing = self.fillers(model, given, number)
        keys = [each.name for each in model.attributes.values() if each.is_key]
        missing |= {name: model.filler(name, number) for name in keys if name not in given}
        self.models[model.name] = model
        self.counts[model.name] = number
        self._stored |= {(model.table, f"{name}={variable}.{name}") for name in (*keys, "id")}
        self._stored |= {(model.table, f"{name}={given[name]}") for name in keys if name in given}
        self._lines += [f"{variable}.{name} = {value}" for name, value in missing.items()]
        self._lines.append(f"{self._handle.name}.add({variable})")

    def parent(self, model: Model, name: str, value: str | None, number: int) -> dict[str, str]:
        """Store what an attribute refers to; return the attribute where that gives its value."""
        attribute = model.attributes[name]
        if value == "None" or (value is None and not attribute.is_required):
            return {}
        if value is not None and _CHANGING.search(value):
            why = f"{value} is another one each time, and what it refers to must be there"
            raise Unconvertible(self._mock.line, f"{name}={value}", why, "give it a name in the test")
        table, _, column = attribute.refers_to.rpartition(".")
        real = self._plan.schema.table(table)
        if real is not None and value is not None and column in real.columns:
            if (table, f"{column}={value}") not in self._stored:
                # By the real table: it says what else a row must have.
                self._plan.rows.add(real, {column: value}, self._mock.line)
                fixture = "isolated_database" if self._plan.is_async else "isolated_database_sync"
                style = ASYNCPG if self._plan.is_async else ASYNCPG_SYNC
                self._plan.handle = Handle(style, self._plan.take(fixture))
            return {}
        definition = self._plan.project.module(model.module)
        known = models_beside(definition, self._plan.project) if definition else []
        parent = next((each for each in known if each.table == table), None)
        if parent is None or column not in parent.attributes:
            return {}
        key = value or parent.filler(column, number)
        if (table, f"{column}={key}") not in self._stored:
            self.models[parent.name] = parent
            self._stored.add((table, f"{column}={key}"))
            self.counts[parent.name] = self.counts.get(parent.name, 0) + 1
            if parent.attributes[column].type in ("UUID", "Uuid") and key.startswith(("'", '"')):
                key, value = f"uuid.UUID({key})", value or key
            if key.startswith("uuid."):
                self._plan.imports.add("import uuid")
            given = {column: key} | self.fillers(parent, {column: key}, self.counts[parent.name])
            self._lines.append(
                f"{self._handle.name}.add({parent.name}({', '.join(f'{each}={held}' for each, held in given.items())}))"
            )
            self._lines.append(f"{'await ' if self._handle.is_async else ''}{self._handle.name}.flush()")
        return {} if value is not None else {name: key}
