"""Convert one test file: read each test, plan it, and write those that could be planned whole."""

from __future__ import annotations

import ast
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.mocks.convert.code_under_test import CodeUnderTest
from realservices.mocks.convert.conversion_results import FileResult, Left, Unconvertible
from realservices.mocks.convert.each_test import Test, check_class, each_test, is_test_case
from realservices.mocks.convert.fixture_edits import applies
from realservices.mocks.convert.fixture_index import FixtureIndex
from realservices.mocks.convert.import_lines import mend_imports
from realservices.mocks.convert.kept_mocks import kept_mock
from realservices.mocks.convert.lost_names import lost_names
from realservices.mocks.convert.module_fakes import (
    ModuleFakes,
    check_foreign,
    fakes_at_top,
    with_plain_gap,
    without_unused,
)
from realservices.mocks.convert.project_modules import Module, Project, make_module
from realservices.mocks.convert.rewrite import rewrite
from realservices.mocks.convert.set_up_attributes import is_read
from realservices.mocks.convert.shared_fixtures import (
    Planned,
    copied_fixtures,
    unused_fixtures,
    without_half,
    without_shared,
)
from realservices.mocks.convert.test_facts import FunctionEdits, Reading
from realservices.mocks.convert.test_plan import TestPlan
from realservices.mocks.convert.test_planning import fill_plan
from realservices.mocks.convert.test_reading import TestReader
from realservices.mocks.scan import Project as Files
from realservices.mocks.scan import scan_source
from realservices.mocks.scan_model import Form, Service
from realservices.sources.declarations import read_project
from realservices.sources.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.mocks.convert.database_schema import Schema
    from realservices.mocks.convert.service_calls import ServiceCall
    from realservices.mocks.scan_model import MockUse, TestFile

_CONVERTED = (Service.POSTGRES, Service.REDIS, Service.FILES, Service.HTTP)


class FileConverter:
    """Converts the test files of a project.

    Args:
        files: The project's files, as the scan knows them.
        schema: The tables that its migrations make.
    """

    def __init__(self, files: Files, schema: Schema) -> None:
        self._files, self._schema = files, schema
        self._modules: dict[Path, Module | None] = {}
        self._uses: dict[str, Sequence[MockUse]] = {}
        self._names: dict[str, str] | None = None
        self._fakes: ModuleFakes

    def convert(self, path: Path, text: str | None = None) -> FileResult:
        """Return what becomes of a file.

        Args:
            path: The file.
            text: What it holds; by default that is read.
        """
        result = FileResult(path=path)
        try:
            result.before = result.after = path.read_bytes().decode() if text is None else text
            module = make_module(self.module_name(path), path, result.before)
        except (OSError, ValueError, SyntaxError, RecursionError) as error:
            result.error = f"{type(error).__name__}: {error}"
            return result
        plans = self._plans(module, result)
        while True:
            plans = without_shared(plans, result)
            half = self._write(module, plans, result)
            if not half:
                return result
            plans = without_half(plans, half, result)

    def module_name(self, path: Path) -> str:
        """Return the dotted name that a file is imported by."""
        return self._files.module_name(self._relative(path))

    def _service_names(self) -> dict[str, str]:
        """Return the names by which tests know the project's services, the first of each kind."""
        if self._names is None:
            self._names = {}
            with contextlib.suppress(SettingError):
                for name, each in read_project(self._files.root.resolve()).services.items():
                    self._names.setdefault(each.kind, name)
        return self._names

    def _relative(self, path: Path) -> Path:
        path = path.resolve()
        root = self._files.root.resolve()
        return path.relative_to(root) if path.is_relative_to(root) else path

    def _plans(self, module: Module, result: FileResult) -> list[Planned]:
        self._scan(module.path, result.before)
        for directory in module.path.resolve().parents:
            conftest = directory / "conftest.py"
            if conftest.is_file():
                self._scan(conftest, conftest.read_text(encoding="utf-8", errors="replace"))
            if directory == self._files.root.resolve():
                break
        self._fakes = fakes_at_top(module, self._uses.get(str(module.path), ()))
        index = FixtureIndex(module, self._files.root.resolve())
        project = Project(self._files, self._relative(module.path), self._modules)
        found: list[Planned] = []
        for test in each_test(module.tree):
            owner = test.owner.name if test.owner else ""
            fixtures = index.of_test(test.node, owner, test.owner, module)
            try:
                calls = CodeUnderTest(project, module).calls(test.node, fixtures)
                reading = TestReader(module, self._uses).read(test.node, fixtures, calls)
                self._check_foreign(reading)
                has_work = _has_work(reading) or self._names_fakes(reading)
                plan = self._plan(test, reading, module, project, calls) if has_work else None
                is_without = plan is None and not reading.mocks  # What its set-up makes for others is none of its own.
                kept = kept_mock(test, module.path, fixtures, calls, self._uses) if is_without else None
                result.left += [kept] if kept is not None else []
                found.append((test, plan, reading))
            except Unconvertible as refusal:
                result.left.append(
                    Left(test=test.name, line=refusal.line, what=refusal.what, why=refusal.why, remedy=refusal.remedy)
                )
                found.append((test, None, Reading(test.node, fixtures=fixtures)))
        return found

    def _scan(self, path: Path, text: str) -> None:
        if str(path) not in self._uses or path.name != "conftest.py":
            self._uses[str(path)] = scan_source(text, self._relative(path), self._files).uses

    def _plan(
        self, test: Test, reading: Reading, module: Module, project: Project, calls: list[ServiceCall]
    ) -> TestPlan:
        check_class(test, module, project)
        plan = TestPlan(
            reading, module, project, calls, self._schema, isinstance(test.node, ast.AsyncFunctionDef),
            is_case=is_test_case(test.owner, module), service_names=self._service_names(),
        )  # fmt: skip
        fill_plan(plan, self._fakes)
        return plan

    def _names_fakes(self, reading: Reading) -> bool:
        functions = [reading.test, *(each.node for each in reading.fixtures if each.module is self._fakes.module)]
        return any(self._fakes.named_in(each) for each in functions)

    def _check_foreign(self, reading: Reading) -> None:
        for fixture in reading.fixtures:
            if fixture.module is not self._fakes.module:
                uses = self._uses.get(str(fixture.module.path), ())
                check_foreign(fakes_at_top(fixture.module, uses), [fixture.node])

    def _write(self, module: Module, plans: list[Planned], result: FileResult) -> dict[str, tuple[str, str]]:
        """Put the plans into the result; return tests that would still have a mock, and which: nothing is done then."""
        result.converted, result.notes, result.services = [], [], set()
        edits: dict[int, FunctionEdits] = {}
        wanted: set[str] = {"import pytest"}
        pools = False
        overrides: dict[str, str] = {}
        for test, plan, _ in plans:
            if plan is None:
                continue
            edits |= {line: each for line, each in plan.reading.edits.items() if applies(line, plan)}
            wanted |= plan.imports
            pools = pools or (plan.pools and not plan.is_case)
            overrides |= plan.overrides
            result.converted.append(test.name)
            result.notes += [f"{test.name}: {note}" for note in plan.notes]
            result.services |= plan.services
        if not result.converted:
            return {}
        copies = copied_fixtures(plans, result.path)
        gone = unused_fixtures(module, plans, {line: each for line, each in edits.items() if line not in copies})
        try:
            cases = {test.owner.name for test, plan, _ in plans if plan is not None and plan.is_case and test.owner}
            text = rewrite(result.before, edits, gone, pools=pools, cases=cases, overrides=overrides, copies=copies)
            shorter = without_unused(text, self._fakes)
            mended = mend_imports(result.before, shorter, wanted)
            text = mended if shorter == text else with_plain_gap(mended)
            compile(text, str(result.path), "exec", dont_inherit=True)
            _check_same_tests(module.tree, ast.parse(text))
        except Exception as error:  # noqa: BLE001 - whatever it was, the file stays as it was, and that is told
            result.converted, result.notes, result.services = [], [], set()
            result.error = f"the converted file was not right, so it stays as it is: {type(error).__name__}: {error}"
            return {}
        if half := self._half_converted(text, result) | lost_names(result.before, text, result.converted):
            return half
        result.after = text
        return {}

    def _half_converted(self, text: str, result: FileResult) -> dict[str, tuple[str, str]]:
        """Return the converted tests that still have a mock of a service: the scan itself is asked."""
        return {
            use.scope: (use.api, f"a mock of {use.service.value} could not be told from others")
            for use in scan_source(text, self._relative(result.path), self._files).uses
            if not use.stays
            and use.form is not Form.MONKEYPATCH
            and use.service in _CONVERTED
            and use.scope in result.converted
        }


def scanned_file(result: FileResult, root: Path) -> TestFile:
    """Return the mocks of a file as it was."""
    path = result.path.relative_to(root) if result.path.is_relative_to(root) else result.path
    return scan_source(result.before, path, Files(root))


def _has_work(reading: Reading) -> bool:
    is_read_one = any(is_read(mock, reading) for mock in reading.mocks)
    return is_read_one or any(not fake.is_foreign for fake in reading.fakes)


def _check_same_tests(before: ast.Module, after: ast.Module) -> None:
    old, new = [test.name for test in each_test(before)], [test.name for test in each_test(after)]
    if old != new:
        raise AssertionError(f"tests were {old}, and are {new}")
