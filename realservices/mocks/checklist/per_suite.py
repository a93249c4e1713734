"""The checklist of a suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.checklist.item import Item, State, item
from realservices.mocks.counts import leaving
from realservices.mocks.scan_model import Complexity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.mocks.checklist.per_service import Service
    from realservices.mocks.checklist.test_results import Results
    from realservices.mocks.scan_model import Suite, TestFile


def suite_items(suite: Suite, services: Sequence[Service], local: Results) -> list[Item]:
    """Return the checklist of a suite.

    Args:
        suite: What was scanned.
        services: Its services, with their checklists.
        local: What test runs on this machine have said.
    """
    left = [file for file in suite.files if leaving(file)]
    grades = {grade: [file for file in left if file.complexity is grade] for grade in Complexity}
    shown = ", ".join(f"{len(files)} {grade.value}" for grade, files in grades.items())
    documented = [service for service in services if service.items[3].state is State.DONE]
    return [
        item("All uses of mocks are known", not suite.unreadable, f"{len(suite.unreadable)} files could not be read"),
        item("They are graded by complexity", not suite.unreadable, "what could not be read has no grade", shown),
        item("Files are migrated in the order of complexity", not left, f"left are {shown}", "no mock is left"),
        _validated(suite, local),
        item("Documentation and examples are up to date", len(documented) == len(services),
             f"{len(services) - len(documented)} of {len(services)} services have no documentation of it"),
        Item(what="The team knows the new patterns", state=State.UNKNOWN, detail="no file says that: ask the team"),
    ]  # fmt: skip


def _validated(suite: Suite, local: Results) -> Item:
    what = "Migrated files are validated before the next ones"
    migrated = [file for file in suite.files if file.fixtures and not leaving(file)]
    if not migrated:
        return Item(what=what, state=State.OPEN, detail="no file is migrated")
    if not local.source:
        return Item(what=what, state=State.UNKNOWN, detail="no result is known; run pytest here")
    missing = [file for file in migrated if _is_unproven(file, local)]
    left = (
        f"{len(missing)} of {len(migrated)} migrated files have not passed, first {missing[0].path}" if missing else ""
    )
    return item(what, not missing, left, f"all {len(migrated)} have passed")


def _is_unproven(file: TestFile, local: Results) -> bool:
    name = file.path.as_posix()
    return bool(file.tests) and (not local.ran[name] or bool(local.failed[name]))
