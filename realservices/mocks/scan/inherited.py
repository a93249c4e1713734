"""What other files hand on to a test file: fixtures of conftest.py, helper functions, base classes, fake classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from realservices.mocks.scan import apis
from realservices.mocks.scan.files import is_test_side
from realservices.mocks.scan.scopes import INSTANCE
from realservices.mocks.scan_model import Form, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.scan.project_names import Project
    from realservices.mocks.scan.scopes import Scope
    from realservices.mocks.scan_model import MockUse

_SETUPS = frozenset({"setUp", "asyncSetUp", "setUpClass", "setup_method", "setup", "setup_class", ""})
_LAST_NAMES = frozenset(name.rpartition(".")[2] for name in apis.TABLE) | {"mock"}


class HandedOn(NamedTuple):
    """A thing of another file that brings mocks.

    Attributes:
        api: Its full name.
        known: The service that its mocks stand for, and why.
        target: What they replace.
    """

    api: str
    known: tuple[Service, str]
    target: str = ""


class Neighbour(NamedTuple):
    """What is known of a test-side file that was scanned for the sake of another.

    Attributes:
        uses: Its mocks.
        fixtures: All fixtures that it defines.
    """

    uses: tuple[MockUse, ...]
    fixtures: frozenset[str]


class ScansFiles(Protocol):
    """What scans the other files."""

    def neighbour(self, path: Path) -> Neighbour:
        """Return what is in a file."""


class Inherited:
    """What one file gets from others.

    Args:
        path: The file.
        project: The project.
        scanner: What scans the others.
    """

    def __init__(self, path: Path, project: Project, scanner: ScansFiles) -> None:
        self._path, self._project, self._scanner = path, project, scanner
        self._canonical: dict[str, str] = {}
        self._others: dict[str, tuple[Path, str] | None] = {}
        self._parts: dict[str, HandedOn | None] = {}
        self._conftests: list[Path] | None = None

    def canonical(self, full: str) -> str:
        """Return a full name, followed through the project's test modules and through what is a mock's name."""
        if full not in self._canonical:
            self._canonical[full] = self._followed(full)
        return self._canonical[full]

    def _followed(self, full: str) -> str:
        head = full.partition(".")[0]
        if not full or INSTANCE in full or head in ("unittest", "mock", "pytest", "builtins", "pytest_mock"):
            return full
        module = self._module_of(full)
        if not module:
            return full
        if not is_test_side(module[0]) and full.rpartition(".")[2] not in _LAST_NAMES:
            return full
        definition = self._project.definition(full, self._path)
        if definition.kind == "class":
            # A subclass of mocks is another flavour of them.
            mocks = [base for base in map(self.canonical, definition.returns) if apis.is_mock_class(base)]
            return mocks[0] if mocks else definition.full
        return definition.full or full

    def _module_of(self, full: str) -> tuple[Path, str] | None:
        parts = full.split(".")
        for length in range(len(parts), 0, -1):
            path = self._project.find(".".join(parts[:length]), self._path)
            if path:
                return path, ".".join(parts[length:])
        return None

    def star(self, module: str) -> Iterator[tuple[str, str]]:
        """Yield what a star import of a test module of the project brings."""
        path = self._project.find(module, self._path)
        summary = self._project.summary(path) if path and is_test_side(path) else None
        if summary:
            for name in (*summary.names, *summary.functions, *summary.classes):
                if "." not in name and not name.startswith("_"):
                    yield name, f"{module}.{name}"
            for other in summary.stars:
                for name in apis.exported_by_star(other):
                    yield name, f"{other}.{name}"

    # Things that bring mocks.

    def fixture(self, name: str, scope: Scope) -> HandedOn | None:
        """Return the fixture of another file by that name, if it brings mocks."""
        full = scope.parent.lookup(name) if scope.parent else None
        if full and (found := self._part(full, is_fixture=True)):
            return found
        for path in self._conftest_files():
            neighbour = self._scanner.neighbour(path)
            if name in neighbour.fixtures:
                return self._handed_on(f"{self._project.module_name(path)}.{name}", neighbour.uses, name)
        return None

    def has_fixture(self, name: str) -> bool:
        """Return whether a conftest.py around the file has a fixture by that name."""
        return any(name in self._scanner.neighbour(path).fixtures for path in self._conftest_files())

    def _conftest_files(self) -> list[Path]:
        if self._conftests is None:
            folders = [self._path.parent, *self._path.parent.parents]
            nearby = [folder / "conftest.py" for folder in folders]
            self._conftests = [path for path in nearby if path != self._path and self._project.has(path)]
            for path in list(self._conftests):
                self._conftests += self._plugins(path)
        return self._conftests

    def _plugins(self, conftest: Path) -> list[Path]:
        summary = self._project.summary(conftest)
        modules = [*summary.stars, *summary.plugins] if summary else []
        modules += [summary.names[name].rpartition(".")[0] for name in summary.imported] if summary else []
        found = [self._project.find(module, conftest) for module in dict.fromkeys(modules) if module]
        return [path for path in found if path and path != self._path and is_test_side(path)]

    def helper(self, full: str) -> HandedOn | None:
        """Return the helper function of another file that brings mocks."""
        return self._part(full)

    def base(self, full: str) -> HandedOn | None:
        """Return the base class of another file whose set-up, or one of whose attributes, brings mocks."""
        return self._part(full, is_base=True)

    def fake(self, full: str) -> HandedOn | None:
        """Return the fake class of another file."""
        found = self._other_file(full)
        for use in self._scanner.neighbour(found[0]).uses if found else ():
            if found and use.form is Form.FAKE_CLASS and found[1] in use.names:
                return HandedOn(full, (use.service, use.evidence[0]), use.target)
        return None

    def is_callable(self, full: str) -> bool:
        """Return whether a name is a function or class of another file of the project."""
        found = self._module_of(full) if full and INSTANCE not in full else None
        return bool(found) and self._project.definition(full, self._path).kind in ("function", "class")

    def _other_file(self, full: str) -> tuple[Path, str] | None:
        if full not in self._others:
            self._others[full] = self._look_for_other_file(full)
        return self._others[full]

    def _look_for_other_file(self, full: str) -> tuple[Path, str] | None:
        if not full or INSTANCE in full or full.startswith("builtins."):
            return None
        found = self._module_of(full)
        if found and found[1] and found[0] != self._path and is_test_side(found[0]):
            return found
        return None

    def _part(self, full: str, *, is_fixture: bool = False, is_base: bool = False) -> HandedOn | None:
        key = f"{full} {is_fixture} {is_base}"
        if key not in self._parts:
            found = self._other_file(full)
            self._parts[key] = self._look(full, found, is_fixture, is_base) if found else None
        return self._parts[key]

    def _look(self, full: str, found: tuple[Path, str], is_fixture: bool, is_base: bool) -> HandedOn | None:
        neighbour = self._scanner.neighbour(found[0])
        name = found[1]
        if (name in neighbour.fixtures) != is_fixture:
            return None
        if is_base:
            uses = tuple(use for use in neighbour.uses if _is_set_up(use.scope, name))
            return self._handed_on(full, uses, name)
        return self._handed_on(full, neighbour.uses, name)

    def _handed_on(self, full: str, uses: tuple[MockUse, ...], name: str) -> HandedOn | None:
        brought = [use for use in uses if f"{use.scope}.".startswith(f"{name}.") and not use.stays]
        if not brought:
            return None
        best = min(brought, key=lambda use: (use.service in (Service.OTHER, Service.OWN_CODE), use.line))
        return HandedOn(full, (best.service, f"{name} brings {best.form.value}: {best.evidence[0]}"), best.target)


def _is_set_up(scope: str, name: str) -> bool:
    head, _, rest = scope.partition(".")
    return head == name and rest in _SETUPS
