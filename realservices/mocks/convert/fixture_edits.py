"""What is done to fixtures that hand mocks on: they take real objects in their place, or the test stays as it is."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.case_fixtures import is_bound, lines_for
from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.installing_fixtures import check_only_installs, installs_mock
from realservices.mocks.convert.test_facts import FunctionEdits, Mock

if TYPE_CHECKING:
    from collections.abc import Set

    from realservices.mocks.convert.fixture_index import Fixture
    from realservices.mocks.convert.test_plan import TestPlan


def edit_fixtures(plan: TestPlan, converted: set[Mock]) -> None:
    """Have the fixtures of a test that hand mocks on take real objects.

    Raises:
        Unconvertible: One does something else, or stands in another file.
    """
    reading = plan.reading
    for fixture in reading.fixtures:
        names = reading.by_function.get(fixture.node.lineno, {}) if fixture.module is plan.module else {}
        if fixture.module is not plan.module:
            taken = {each.arg for each in fixture.node.args.args}
            mocks = {each.name for each in reading.fixtures if exports_mock(each, plan)}
            if taken & mocks and not exports_mock(fixture, plan):
                _override(taken & mocks, fixture, plan)
            continue
        if installs_mock(fixture, plan):
            check_only_installs(fixture, plan)
            continue
        if exports_mock(fixture, plan):
            continue
        known = reading.edits.get(fixture.node.lineno, FunctionEdits())
        if not any(mock in converted for mock in names.values()) and not known.removed and not known.calls:
            continue
        _edit_fixture(fixture, plan)


def _override(names: Set[str], fixture: Fixture, plan: TestPlan) -> None:
    """Have a fixture of a conftest.py get real objects: the file has fixtures of the mocks' names for its own tests."""
    known = plan.reading.by_function.get(plan.reading.test.lineno, {})
    for name in names:
        mock = known.get(name)
        expression = plan.placed.get(mock, "") if mock is not None else ""
        if mock is None or expression not in plan.fixtures or fixture.scope != "function":
            raise Unconvertible(
                plan.reading.test.lineno, fixture.name, f"the fixture in {fixture.module.path.name} is made of a mock",
                "convert that fixture by hand",
            )  # fmt: skip
        plan.overrides[name] = expression


def _edit_fixture(fixture: Fixture, plan: TestPlan) -> None:
    edits = plan.reading.edit(fixture.node)
    if fixture.is_set_up:
        _edit_set_up(fixture, plan, edits)
        return
    if fixture.scope != "function":
        raise Unconvertible(
            fixture.node.lineno, fixture.name, f"its scope is {fixture.scope}", "make it a fixture of one test"
        )
    if edits.unwrapped or edits.decorators:
        raise Unconvertible(
            fixture.node.lineno, fixture.name, "a fixture patches something and gives something else", "convert by hand"
        )
    taken = {each.arg for each in fixture.node.args.args}
    for name, expression in edits.renames.items():
        if expression not in plan.fixtures:
            raise Unconvertible(
                fixture.node.lineno, fixture.name, "a fixture needs an object that the test makes", "convert by hand"
            )
        if expression not in edits.arguments:
            edits.arguments.append(expression)
        if name in taken:
            edits.dropped_arguments.add(name)


def _edit_set_up(fixture: Fixture, plan: TestPlan, edits: FunctionEdits) -> None:
    """Have a `setup_method`, or a `setUp`, take real objects: as a fixture, or by name."""
    needed = [each for each in dict.fromkeys(edits.renames.values()) if each in plan.fixtures]
    if len(fixture.node.args.args) != 1 or len(needed) != len(set(edits.renames.values())) or edits.unwrapped:
        raise Unconvertible(fixture.node.lineno, fixture.name, "it makes mocks in a way of its own", "convert by hand")
    if fixture.name in ("setUp", "asyncSetUp"):
        edits.top = lines_for(needed, plan)
        if fixture.name == "setUp" and any(map(is_bound, needed)):
            _make_asynchronous(fixture, plan, edits)
        return
    edits.arguments, edits.new_decorators, edits.name = needed, ["pytest.fixture(autouse=True)"], "set_up"


def _make_asynchronous(fixture: Fixture, plan: TestPlan, edits: FunctionEdits) -> None:
    """Have a `setUp` run in the loop of the test."""
    owner = plan.module.definitions.get(fixture.owner)
    names = {getattr(each, "name", "") for each in getattr(owner, "body", ())}
    if "asyncSetUp" in names or "super()" in ast.unparse(fixture.node):
        why = "it must run in the test's loop, as asyncSetUp, and there is more than it"
        raise Unconvertible(fixture.node.lineno, fixture.name, why, "make the mocks in asyncSetUp")
    edits.name, edits.becomes_async = "asyncSetUp", True


def exports_mock(fixture: Fixture, plan: TestPlan) -> bool:
    """Return whether what a fixture gives is a mock itself."""
    names = plan.reading.by_function.get(fixture.node.lineno, {}) if fixture.module is plan.module else None
    for node in ast.walk(fixture.node):
        value = node.value if isinstance(node, ast.Return | ast.Yield) else None
        if value is None:
            continue
        if names is None:
            return fixture.name in plan.reading.by_function.get(plan.reading.test.lineno, {})
        if (
            isinstance(value, ast.Name)
            and value.id in names
            and value.id not in {each.arg for each in fixture.node.args.args}
        ):
            return True
        if isinstance(value, ast.Call) and any(
            mock.line == value.lineno for mock in (*plan.reading.mocks, *plan.reading.grafted)
        ):
            known = plan.reading.by_function
            return (
                fixture.name in known.get(plan.reading.test.lineno, {})
                or fixture.name in plan.reading.parts
                or any(fixture.name in each for each in known.values())
            )
    return False


def applies(line: int, plan: TestPlan) -> bool:
    """Return whether the edits of a function are for the file: fixtures that give mocks stay, or go."""
    if line == plan.reading.test.lineno:
        return True
    fixture = next(
        (each for each in plan.reading.fixtures if each.node.lineno == line and each.module is plan.module), None
    )
    edits = plan.reading.edits[line]
    if fixture is None or installs_mock(fixture, plan) or exports_mock(fixture, plan):
        return False
    return bool(edits.renames or edits.calls or edits.texts or edits.spans)
