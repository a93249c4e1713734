"""Assertions on a mocked session become queries of the tables, by another connection where the code commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.handles import ASYNCPG, ASYNCPG_SYNC, Handle
from realservices.mocks.convert.mock_paths import CALLED, ENTERED
from realservices.mocks.convert.postgres_checks import counted

if TYPE_CHECKING:
    from realservices.mocks.convert.orm_models import Model
    from realservices.mocks.convert.service_calls import ServiceCall
    from realservices.mocks.convert.stored_objects import StoredObjects
    from realservices.mocks.convert.test_facts import Check, Mock
    from realservices.mocks.convert.test_plan import TestPlan

_COMPARED = {"str", "String", "Text", "int", "Integer", "BigInteger", "bool", "Boolean", "Unicode"}


class SessionChecks:
    """The assertions of a test on one session.

    Args:
        mock: The mock.
        plan: What is filled.
        handle: The real session.
        objects: What is stored before.
    """

    def __init__(self, mock: Mock, plan: TestPlan, handle: Handle, objects: StoredObjects) -> None:
        self._mock, self._plan, self._handle, self._objects = mock, plan, handle, objects
        self._commits = any(call.method == "commit" for call in plan.calls)

    def add(self) -> None:
        """Put a statement in place of each."""
        words = [self._word(check) for check in self._mock.checks]
        for check, word in zip(self._mock.checks, words, strict=True):
            if word in ("add", "add_all", "delete"):
                self._plan.check(check.line, self._changed(word, check))
            elif (word == "commit" and not {"add", "add_all", "delete"} & set(words) and self._calls("add")) or (
                word == "commit" and check.word == "not called" and self._calls("add")
            ):
                self._plan.check(check.line, self._changed("add", check))
            elif word != "commit" or not self._commits or not self._plan.checked:
                what = f"{word!r} was {check.word}" if word else "the session was made"
                self._plan.note_gone(check, f"that {what} leaves no trace")

    @staticmethod
    def _word(check: Check) -> str:
        words = [word for word in check.path if word not in (CALLED, ENTERED)]
        return words[-1] if words else ""

    def _calls(self, method: str) -> list[ServiceCall]:
        return [call for call in self._plan.calls if call.method == method and call.node.args]

    def _changed(self, word: str, check: Check) -> list[str]:
        if word == "delete":
            return self._removed(check)
        lines: list[str] = []
        for call in self._calls(word):
            model, made = self._objects.added(call)
            if model is None or made is None:
                continue
            if check.word == "not called":
                lines += self._counted(model, {}, self._objects.counts.get(model.name, 0))
            else:
                values = _comparable(self._objects.given(made, model), model)
                if check.looks and not values:
                    self._plan.note_gone(check, "what was stored cannot be told")
                expected = 1 if values else self._objects.counts.get(model.name, 0) + 1
                lines += self._counted(model, values, expected)
        if not lines:
            raise Unconvertible(
                check.line, word, "it cannot be told of which class the object is", "query what must be there by hand"
            )
        return lines

    def _removed(self, check: Check) -> list[str]:
        deleted = [self._objects.handed(call.node.args[0])[0] for call in self._calls("delete")]
        queried = deleted[0] if len(deleted) == 1 and deleted[0] is not None else self._objects.queried()
        models = [queried] if queried is not None else list(self._objects.models.values())
        if len(models) != 1:
            why, remedy = "it cannot be told of which class the object is", "query what must be gone by hand"
            raise Unconvertible(check.line, "delete", why, remedy)
        count = self._objects.counts.get(models[0].name, 0)
        return self._counted(models[0], {}, count if check.word == "not called" else max(0, count - 1))

    def _counted(self, model: Model, values: dict[str, str], expected: int) -> list[str]:
        if not self._commits:
            given = ", ".join(f"{name}={value}" for name, value in values.items())
            self._plan.imports |= {"from sqlalchemy import func", "from sqlalchemy import select"}
            query = f"select(func.count()).select_from({model.name})" + (f".filter_by({given})" if given else "")
            scalar = f"{self._handle.name}.scalar({query})"
            return [f"assert {'await ' if self._handle.is_async else ''}{scalar} == {expected}"]
        fixture = "isolated_database" if self._plan.is_async else "isolated_database_sync"
        other = Handle(ASYNCPG if self._plan.is_async else ASYNCPG_SYNC, self._plan.take(fixture))
        return counted(model.table, values, expected, other)


def _comparable(values: dict[str, str], model: Model) -> dict[str, str]:
    return {
        name: value for name, value in values.items() if model.attributes[name].type in _COMPARED and value != "None"
    }
