"""Fixtures that several tests of a file share: changed for all, copied for some, or gone when nobody asks for them."""

from __future__ import annotations

import ast
import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import FileResult, Left
from realservices.mocks.convert.each_test import Test
from realservices.mocks.convert.fixture_edits import applies, exports_mock
from realservices.mocks.convert.installing_fixtures import installs_mock
from realservices.mocks.convert.project_modules import Module
from realservices.mocks.convert.set_up_attributes import made_of, reads
from realservices.mocks.convert.test_facts import FunctionEdits, Reading
from realservices.mocks.convert.test_plan import TestPlan

if TYPE_CHECKING:
    from collections.abc import Sequence


# A test, its plan or None where it is left, and what was read in it.
Planned = tuple[Test, TestPlan | None, Reading | None]
_WHOLE = "every test that uses this fixture must be converted together"


def without_shared(plans: list[Planned], result: FileResult) -> list[Planned]:
    """Return the plans without those that change a fixture which another test needs as it is."""
    while True:
        users: dict[int | str, list[int]] = defaultdict(list)
        changes: dict[int | str, list[object]] = defaultdict(list)
        affected = _affected(plans)
        for number, (_, plan, reading) in enumerate(plans):
            for fixture in reading.fixtures if reading else ():
                is_own = fixture.module.path == result.path
                line = fixture.node.lineno
                is_changed = plan is not None and line in plan.reading.edits and applies(line, plan)
                if fixture.is_set_up and not is_changed and reading and not reads(reading, affected[line], fixture):
                    continue  # What is changed there is nothing to it.
                users[fixture.node.lineno if is_own else fixture.name].append(number)
            for name, expression in plan.overrides.items() if plan else ():
                changes[name].append(expression)
            for line, edits in plan.reading.edits.items() if plan else ():
                if plan and line != plan.reading.test.lineno and applies(line, plan):
                    changes[line].append(edits)
        refused = {
            number: key
            for key, edits in changes.items()
            for number in users[key]
            if plans[number][1] is not None
            and (
                any(each != edits[0] for each in edits)
                or (len(edits) < len(users[key]) and not can_be_copied(key, plans))
            )
        }
        if not refused:
            return plans
        for number, key in refused.items():
            test, plan, reading = plans[number]
            why = "another test uses the same fixture and stays on its mock"
            line = key if isinstance(key, int) else test.node.lineno
            result.left.append(Left(test=test.name, line=line, what="fixture", why=why, remedy=_WHOLE))
            plans[number] = (test, None, dataclasses.replace(reading) if reading else None)


def _affected(plans: Sequence[Planned]) -> dict[int, set[str]]:
    """Return the attributes that hold something else when a set-up is changed, by its line."""
    found: dict[int, set[str]] = defaultdict(set)
    for _, plan, _ in plans:
        for fixture in plan.reading.fixtures if plan is not None else ():
            line = fixture.node.lineno
            if plan is None or not fixture.is_set_up or line not in plan.reading.edits:
                continue
            found[line] |= made_of(fixture, plan.reading.edits[line].renames.keys())
    return found


def can_be_copied(key: int | str, plans: Sequence[Planned]) -> bool:
    """Return whether converted tests can have a fixture of their own beside one that others need as it is."""
    for _, _, reading in plans:
        fixtures = reading.fixtures if reading else []
        found = next((each for each in fixtures if each.node.lineno == key), None)
        if found is None:
            continue
        is_plain = found.name == found.node.name and not found.is_set_up and not found.autouse and not found.owner
        if not is_plain or any(found.name in {each.arg for each in other.node.args.args} for other in fixtures):
            return False
    return isinstance(key, int)


def copied_fixtures(plans: Sequence[Planned], path: Path) -> dict[int, str]:
    """Return name by line of the fixtures that a test needs as they are and others converted; these get a copy."""
    found: dict[int, str] = {}
    for _, plan, _ in plans:
        for fixture in plan.reading.fixtures if plan is not None else ():
            line = fixture.node.lineno
            is_changed = (
                plan is not None and fixture.module.path == path and line in plan.reading.edits and applies(line, plan)
            )
            is_left = any(
                other is None and reading is not None and any(each.key == fixture.key for each in reading.fixtures)
                for _, other, reading in plans
            )
            if is_changed and is_left and plan is not None and not fixture.is_set_up:
                found[line] = f"real_{fixture.name}"
                edits = plan.reading.edit(plan.reading.test)
                edits.dropped_arguments.add(fixture.name)
                edits.renames[fixture.name] = found[line]
                edits.arguments = list(dict.fromkeys([*edits.arguments, found[line]]))
    return found


def without_half(plans: list[Planned], half: dict[str, tuple[str, str]], result: FileResult) -> list[Planned]:
    """Return the plans without those of tests that would keep a mock."""
    kept: list[Planned] = []
    for test, plan, reading in plans:
        found = half.get(test.name)
        if found is not None and plan is not None:
            what, why = found
            left = Left(test=test.name, line=test.node.lineno, what=what, why=why, remedy="convert by hand")
            result.left.append(left)
            plan = None
        kept.append((test, plan, reading))
    return kept


def unused_fixtures(module: Module, plans: list[Planned], edits: dict[int, FunctionEdits]) -> set[int]:
    """Return the lines of fixtures that gave mocks to converted tests, and that nobody asks for any more."""
    candidates = {
        fixture.name: fixture
        for _, plan, _ in plans
        if plan is not None
        for fixture in plan.reading.fixtures
        if fixture.module is plan.module and (exports_mock(fixture, plan) or installs_mock(fixture, plan))
    }
    for _, plan, reading in plans:
        for fixture in reading.fixtures if plan is None and reading is not None else ():
            if fixture.autouse:
                candidates.pop(fixture.name, None)  # A test that is left needs it.
    gone: set[int] = set()
    while True:
        asked = _asked(module, edits, gone)
        found = {fixture.node.lineno for name, fixture in candidates.items() if name not in asked}
        if found == gone:
            return gone
        gone = found  # Those that only these asked for go, too.


def _asked(module: Module, edits: dict[int, FunctionEdits], gone: set[int]) -> set[str]:
    """Return the names of fixtures that functions which stay ask for."""
    asked: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno not in gone:
            dropped = edits[node.lineno].dropped_arguments if node.lineno in edits else set()
            asked |= {each.arg for each in (*node.args.args, *node.args.kwonlyargs)} - dropped
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            asked.add(node.value)
    return asked
