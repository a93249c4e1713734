"""The checklist of a test file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.checklist.item import Item, State, item
from realservices.mocks.counts import leaving
from realservices.mocks.real_fixtures import services_of
from realservices.mocks.scan_model import Form, Service

if TYPE_CHECKING:
    from realservices.mocks.checklist.test_results import Results
    from realservices.mocks.scan_model import MockUse, TestFile

_MARKED = (Service.POSTGRES, Service.REDIS, Service.CLICKHOUSE)
_PATCHES = (Form.PATCH_DECORATOR, Form.PATCH_CONTEXT, Form.PATCH_CALL, Form.MONKEYPATCH)


def file_items(file: TestFile, local: Results, remote: Results) -> list[Item]:
    """Return the checklist of a file.

    Args:
        file: The file.
        local: What test runs on this machine have said.
        remote: What CI's have said.
    """
    uses = leaving(file)
    made = [use for use in uses if use.form not in _PATCHES]
    patches = [use for use in uses if use.form in _PATCHES]
    needed = {service for fixture in file.fixtures for service in services_of(fixture)}
    needed |= {use.service.value for use in uses if use.service in _MARKED}
    missing = sorted(needed - set(file.markers)) if file.tests else []  # A conftest.py marks no test.
    keeps = file.imports_mocks and not uses and any(use.stays for use in file.uses)
    return [
        item("Mock fixtures are replaced by real service fixtures", not made, _lines(made)),
        item("@patch and its like are removed", not patches, _lines(patches)),
        item("Mock assertions are replaced by questions to the service", not file.assertions,
             f"{file.assertions} are left"),
        item("Markers say which services are required", not missing, f"add {_markers(missing)}"),
        item("Imports are those of the new fixtures", not file.imports_mocks or keeps,
             "it imports a library of mocks", "of mocks that stay" if keeps else ""),
        _ran("Tested with real services locally", file, local, "run pytest here"),
        _ran("CI passes", file, remote, "name CI's JUnit files by --junit"),
    ]  # fmt: skip


def _lines(uses: list[MockUse]) -> str:
    shown = ", ".join(str(use.line) for use in uses[:8])
    return f"{len(uses)} are left: line {shown}{' …' if len(uses) > 8 else ''}"


def _markers(services: list[str]) -> str:
    return ", ".join(f"pytest.mark.requires_{service}" for service in services)


def _ran(what: str, file: TestFile, results: Results, remedy: str) -> Item:
    if leaving(file):
        return Item(what=what, state=State.OPEN, detail="it still has mocks")
    if not file.tests:
        return Item(what=what, state=State.DONE, detail="it has no tests of its own")
    name = file.path.as_posix()
    ran = results.ran[name]
    if not ran:
        return Item(what=what, state=State.UNKNOWN, detail=f"no result is known; {remedy}")
    failed = results.failed[name]
    return item(what, not failed, f"{failed} of {ran} tests failed", f"{ran} tests, by {results.source}")
