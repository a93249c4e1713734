"""Objects, or rows, that stored objects refer to: they are stored first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.convert.handles import ASYNCPG, ASYNCPG_SYNC, Handle
from realservices.mocks.convert.orm_models import Model, models_beside
from realservices.mocks.convert.queried_objects import QueriedObjects

if TYPE_CHECKING:
    from realservices.mocks.convert.test_facts import Mock
    from realservices.mocks.convert.test_plan import TestPlan


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

    def parent(self, model: Model, name: str, value: str | None, number: int) -> dict[str, str]:
        """Store what an attribute refers to; return the attribute where that gives its value."""
        attribute = model.attributes[name]
        if value == "None" or (value is None and not attribute.is_required):
            return {}
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
        key = value or str(number)
        if (table, f"{column}={key}") not in self._stored:
            self.models[parent.name] = parent
            self._stored.add((table, f"{column}={key}"))
            self.counts[parent.name] = self.counts.get(parent.name, 0) + 1
            if parent.attributes[column].type in ("UUID", "Uuid") and key.startswith(("'", '"')):
                key, value = f"uuid.UUID({key})", value or key
                self._plan.imports.add("import uuid")
            given = {column: key} | self.fillers(parent, {column: key}, self.counts[parent.name])
            self._lines.append(
                f"{self._handle.name}.add({parent.name}({', '.join(f'{each}={held}' for each, held in given.items())}))"
            )
            self._lines.append(f"{'await ' if self._handle.is_async else ''}{self._handle.name}.flush()")
        return {} if value is not None else {name: key}
