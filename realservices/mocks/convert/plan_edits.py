"""Put a filled plan into the edits of its functions."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from realservices.mocks.convert.case_fixtures import lines_for
from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.fixture_edits import edit_fixtures
from realservices.mocks.convert.later_rows import add_later_rows
from realservices.mocks.convert.placement import act_line
from realservices.mocks.convert.queries import queries_of
from realservices.mocks.convert.record_plan import plan_records
from realservices.mocks.convert.second_rows import add_second_rows

if TYPE_CHECKING:
    from realservices.mocks.convert.test_plan import TestPlan

_MARKED = ("postgres", "redis", "clickhouse")


def finish(plan: TestPlan) -> None:
    """Put the plan into the edits of the test and of the fixtures that hand its mocks on."""
    plan_records(plan)
    handle = plan.handle
    if handle is not None and (plan.rows.rows or plan.absent):
        add_second_rows(plan)
        add_later_rows(plan, queries_of(plan.calls))
        inserts = plan.rows.inserts()
        rows = [handle.execute(each.sql, each.arguments) + each.remark for each in inserts]
        if any("json.dumps(" in row for row in rows):
            plan.imports.add("import json")
        plan.seeds = [*rows, *handle.commit(), *plan.seeds]
    plan.seeds += plan.faults
    edits = plan.reading.edit(plan.reading.test)
    converted = set(plan.reading.mocks)
    edit_fixtures(plan, converted)
    edits.dropped_arguments |= {
        name
        for name in plan.reading.by_function.get(plan.reading.test.lineno, {})
        if plan.reading.by_function[plan.reading.test.lineno][name] in converted
    }
    edits.dropped_arguments |= _parts(plan)
    if plan.is_case:
        lines = [*plan.setup, *plan.seeds, *(line for each in plan.checked.values() for line in each)]
        used = [*lines, *(new for name, new in edits.renames.items() if not name.startswith("self."))]
        names = [name for name in plan.fixtures if any(name in line for line in used)]
        plan.setup = [*lines_for(names, plan, _held(plan)), *plan.setup]
    else:
        edits.arguments = [*plan.fixtures, *_fixtures_read(plan)]
    edits.markers = [f"requires_{kind}" for kind in _MARKED if kind in plan.services]
    lines = [*plan.setup, *plan.seeds, *(line for each in plan.checked.values() for line in each)]
    unused = [name for name in ("cursor", "database") if name not in edits.renames.values() and not _reads(name, lines)]
    edits.top = [line for line in plan.setup if not any(line.startswith(f"{name} =") for name in unused)]
    if plan.seeds:
        line = act_line(plan)
        if line is None:
            edits.top = [*edits.top, *plan.seeds]
        else:
            edits.before[line] = plan.seeds
    edits.replaced |= plan.checked
    if "mocker" in {each.arg for each in plan.reading.test.args.args} and not _names_left(plan, "mocker"):
        edits.dropped_arguments.add("mocker")
    for text in [*plan.seeds, *(line for lines in plan.checked.values() for line in lines)]:
        if "json." in text:
            plan.imports.add("import json")
        if "text(" in text and ".execute(text(" in text:
            plan.imports.add("from sqlalchemy import text")


def _held(plan: TestPlan) -> dict[str, str]:
    """Return the attributes in which a set-up keeps real objects, by the objects' names."""
    renames = plan.reading.edit(plan.reading.test).renames
    return {new: name for name, new in renames.items() if name.startswith("self.")}


def _fixtures_read(plan: TestPlan) -> list[str]:
    """Return the fixtures that the new lines read, and that the test does not ask for: another fixture made them."""
    lines = [*plan.setup, *plan.seeds, *(line for each in plan.checked.values() for line in each)]
    given = {each.arg for each in plan.reading.test.args.args} | set(plan.fixtures)
    given |= {node.id for node in ast.walk(plan.reading.test) if isinstance(node, ast.Name)}
    names = dict.fromkeys(each.name for each in plan.reading.fixtures if not each.is_set_up)
    return [name for name in names if name not in given and any(re.search(rf"\b{name}\.", line) for line in lines)]


def _reads(name: str, lines: list[str]) -> bool:
    return any(re.search(rf"\b{name}\b", line) for line in lines if not line.startswith(f"{name} ="))


def _parts(plan: TestPlan) -> set[str]:
    """Return the arguments that give a part of a mock: only what is told to them, or asked of them, can go."""
    taken = plan.reading.parts & {each.arg for each in plan.reading.test.args.args}
    for name in sorted(taken):
        if _names_left(plan, name):
            why = "the test uses a part of another mock by itself"
            raise Unconvertible(plan.reading.test.lineno, name, why, "hand the real object over by hand")
    return taken


def _names_left(plan: TestPlan, name: str) -> bool:
    """Return whether a name is read in statements of the test that stay."""
    edits = plan.reading.edit(plan.reading.test)
    gone = edits.removed | edits.replaced.keys()
    return any(
        isinstance(node, ast.Name) and node.id == name
        for statement in ast.walk(plan.reading.test)
        if isinstance(statement, ast.stmt) and statement is not plan.reading.test and statement.lineno not in gone
        for node in ast.walk(statement)
    )
