"""Convert one test file: read each test, plan it, and write those that could be planned whole."""

from __future__ import annotations

import ast
import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.mocks.convert.code_under_test import CodeUnderTest
from realservices.mocks.convert.fake_plan import plan_fake
from realservices.mocks.convert.file_plan import plan_files
from realservices.mocks.convert.fixture_index import Fixture, FixtureIndex
from realservices.mocks.convert.import_lines import mend_imports
from realservices.mocks.convert.placement import act_line
from realservices.mocks.convert.postgres_plan import plan_postgres
from realservices.mocks.convert.project import Definition, Module, Project, full_name, make_module
from realservices.mocks.convert.record_plan import plan_records
from realservices.mocks.convert.redis_plan import COMMANDS, plan_redis
from realservices.mocks.convert.results import FileResult, Left, Unconvertible
from realservices.mocks.convert.rewrite import rewrite
from realservices.mocks.convert.session_plan import is_session, plan_session
from realservices.mocks.convert.test_plan import TestPlan
from realservices.mocks.convert.test_reading import Fake, FunctionEdits, Reading, TestReader
from realservices.mocks.model import Form, Service
from realservices.mocks.scan import Project as Files
from realservices.mocks.scan import scan_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.mocks.convert.database_schema import Schema
    from realservices.mocks.convert.test_reading import Mock
    from realservices.mocks.model import MockUse, TestFile

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_MARKED = ("postgres", "redis", "clickhouse")
_CONVERTED = (Service.POSTGRES, Service.REDIS, Service.FILES)
_TEST_CASES = ("TestCase", "IsolatedAsyncioTestCase")
_WHOLE = "every test that uses this fixture must be converted together"


@dataclass(frozen=True, slots=True)
class Test:
    """A test function: its name with its class, the function, and the class."""

    # pytest must not take this class for a test.
    __test__ = False

    name: str
    node: _Function
    owner: ast.ClassDef | None


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
            plans = _without_shared(plans, result)
            half = self._write(module, plans, result)
            if not half:
                return result
            plans = _without_half(plans, half, result)

    def module_name(self, path: Path) -> str:
        """Return the dotted name that a file is imported by."""
        return self._files.module_name(self._relative(path))

    def _relative(self, path: Path) -> Path:
        path = path.resolve()
        root = self._files.root.resolve()
        return path.relative_to(root) if path.is_relative_to(root) else path

    def _plans(self, module: Module, result: FileResult) -> list[tuple[Test, TestPlan | None, Reading | None]]:
        self._scan(module.path, result.before)
        for directory in module.path.resolve().parents:
            conftest = directory / "conftest.py"
            if conftest.is_file():
                self._scan(conftest, conftest.read_text(encoding="utf-8", errors="replace"))
            if directory == self._files.root.resolve():
                break
        index = FixtureIndex(module, self._files.root.resolve())
        found: list[tuple[Test, TestPlan | None, Reading | None]] = []
        for test in each_test(module.tree):
            owner = test.owner.name if test.owner else ""
            fixtures = index.of_test(test.node, owner, test.owner, module)
            try:
                reading = TestReader(module, self._uses).read(test.node, fixtures)
                plan = self._plan(test, reading, module) if _has_work(reading) else None
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

    def _plan(self, test: Test, reading: Reading, module: Module) -> TestPlan:
        project = Project(self._files, self._relative(module.path), self._modules)
        _check_class(test, module, project)
        fixtures = {each.name: each.node for each in reading.fixtures}
        calls = CodeUnderTest(project, module).calls(test.node, fixtures)
        plan = TestPlan(
            reading, module, project, calls, self._schema, isinstance(test.node, ast.AsyncFunctionDef),
            is_case=is_test_case(test.owner, module),
        )  # fmt: skip
        for fake in reading.fakes:
            _plan_fake(fake, plan)
        files = [mock for mock in reading.mocks if mock.use.service is Service.FILES]
        for mock in reading.mocks:
            if mock not in files:
                _plan_mock(mock, plan)
        if files:
            plan_files(files, plan)
        _finish(plan)
        return plan

    def _write(
        self, module: Module, plans: list[tuple[Test, TestPlan | None, Reading | None]], result: FileResult
    ) -> dict[str, MockUse]:
        """Put the plans into the result; return tests that would still have a mock, and which: nothing is done then."""
        result.converted, result.notes, result.services = [], [], set()
        edits: dict[int, FunctionEdits] = {}
        wanted: set[str] = {"import pytest"}
        pools = False
        for test, plan, _ in plans:
            if plan is None:
                continue
            edits |= {line: each for line, each in plan.reading.edits.items() if _applies(line, plan)}
            wanted |= plan.imports
            pools = pools or plan.pools
            result.converted.append(test.name)
            result.notes += [f"{test.name}: {note}" for note in plan.notes]
            result.services |= plan.services
        if not result.converted:
            return {}
        gone = _unused_fixtures(module, plans, edits)
        try:
            cases = {test.owner.name for test, plan, _ in plans if plan is not None and plan.is_case and test.owner}
            text = rewrite(result.before, edits, gone, pools=pools, cases=cases)
            text = mend_imports(result.before, text, wanted)
            compile(text, str(result.path), "exec", dont_inherit=True)
            _check_same_tests(module.tree, ast.parse(text))
        except Exception as error:  # noqa: BLE001 - whatever it was, the file stays as it was, and that is told
            result.converted, result.notes, result.services = [], [], set()
            result.error = f"the converted file was not right, so it stays as it is: {type(error).__name__}: {error}"
            return {}
        if half := self._half_converted(text, result):
            return half
        result.after = text
        return {}

    def _half_converted(self, text: str, result: FileResult) -> dict[str, MockUse]:
        """Return the converted tests that still have a mock of a service: the scan itself is asked."""
        return {
            use.scope: use
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


def each_test(tree: ast.Module) -> Iterator[Test]:
    """Yield the tests of a file, as pytest finds them."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield Test(node.name, node, None)
        elif isinstance(node, ast.ClassDef):
            is_case = any(ast.unparse(base).rpartition(".")[2] in _TEST_CASES for base in node.bases)
            for inner in node.body if node.name.startswith("Test") or is_case or node.bases else ():
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.name.startswith("test"):
                    yield Test(f"{node.name}.{inner.name}", inner, node)


def _plan_mock(mock: Mock, plan: TestPlan) -> None:
    service = mock.use.service
    if service is Service.REDIS and mock.linked_service() is Service.POSTGRES and not mock.has_any_of(COMMANDS):
        service = Service.POSTGRES  # What it is asked for is more certain than a name.
    if service is Service.POSTGRES:
        (plan_session if is_session(mock, plan) else plan_postgres)(mock, plan)
    elif service is Service.REDIS:
        plan_redis(mock, plan)
    else:
        raise Unconvertible(
            mock.line, mock.target or mock.name, f"a mock of {service.value}, for which there is no conversion",
            "see the template for this file: `migrate convert --templates DIR`",
        )  # fmt: skip


def _plan_fake(fake: Fake, plan: TestPlan) -> None:
    if fake.is_foreign:
        return
    edits = plan.reading.edit(fake.function)
    name = plan_fake(fake, edits)
    plan.services.add("redis" if "redis" in name else "postgres")
    if fake.function is plan.reading.test:
        plan.take(name)


def _has_work(reading: Reading) -> bool:
    return bool(reading.mocks or any(not fake.is_foreign for fake in reading.fakes))


def _is_plain(base: ast.expr, module: Module, project: Project) -> bool:
    """Return whether a base is a class of the project's own, or none, whose tests can take fixtures."""
    name = full_name(base, module.imports)
    if name in ("object", "typing.Generic", "abc.ABC"):
        return True
    found = module.definitions.get(name)
    definition = Definition(module, found) if isinstance(found, ast.ClassDef) else project.resolve(name)
    if definition is None:
        constant = module.constants.get(name)
        return constant is not None and _is_plain(constant, module, project)
    bases = definition.node.bases if isinstance(definition.node, ast.ClassDef) else []
    return all(_is_plain(each, definition.module, project) for each in bases)


def is_test_case(owner: ast.ClassDef | None, module: Module) -> bool:
    """Return whether a class is a TestCase of unittest itself."""
    return owner is not None and [full_name(base, module.imports) for base in owner.bases] == ["unittest.TestCase"]


def _check_class(test: Test, module: Module, project: Project) -> None:
    if test.owner is None:
        return
    names = {ast.unparse(base).rpartition(".")[2] for base in test.owner.bases}
    if is_test_case(test.owner, module) and isinstance(test.node, ast.FunctionDef):
        return
    if any(not _is_plain(base, module, project) for base in test.owner.bases):
        raise Unconvertible(
            test.owner.lineno, f"class {test.owner.name}({', '.join(sorted(names))})",
            "asynchronous tests of unittest have a loop of their own, and those of unknown bases may take no fixtures",
            "make it a plain class whose tests take fixtures",
        )  # fmt: skip


def _finish(plan: TestPlan) -> None:
    """Put the plan into the edits of the test and of the fixtures that hand its mocks on."""
    plan_records(plan)
    handle = plan.handle
    if handle is not None and plan.rows.rows:
        inserts = plan.rows.inserts()
        rows = [handle.execute(each.sql, each.arguments) for each in inserts]
        if any("json.dumps(" in row for row in rows):
            plan.imports.add("import json")
        plan.seeds = [*rows, *handle.commit(), *plan.seeds]
    edits = plan.reading.edit(plan.reading.test)
    converted = set(plan.reading.mocks)
    _check_fixtures(plan, converted)
    edits.dropped_arguments |= {
        name
        for name in plan.reading.by_function.get(plan.reading.test.lineno, {})
        if plan.reading.by_function[plan.reading.test.lineno][name] in converted
    }
    if plan.is_case:
        lines = [*plan.setup, *plan.seeds, *(line for each in plan.checked.values() for line in each)]
        used = [*lines, *(new for name, new in edits.renames.items() if not name.startswith("self."))]
        names = [name for name in plan.fixtures if any(name in line for line in used)]
        plan.setup = [*map(_by_name, names), *plan.setup]
    else:
        edits.arguments = plan.fixtures
    edits.markers = [f"requires_{kind}" for kind in _MARKED if kind in plan.services]
    lines = [*plan.setup, *plan.seeds, *(line for each in plan.checked.values() for line in each)]
    unused = (
        not any("cursor" in line for line in lines if not line.startswith("cursor ="))
        and "cursor" not in edits.renames.values()
    )
    edits.top = [line for line in plan.setup if not (unused and line.startswith("cursor ="))]
    if plan.seeds:
        line = act_line(plan)
        if line is None:
            edits.top = [*edits.top, *plan.seeds]
        else:
            edits.before[line] = plan.seeds
    edits.replaced |= plan.checked
    for text in [*plan.seeds, *(line for lines in plan.checked.values() for line in lines)]:
        if "json." in text:
            plan.imports.add("import json")
        if "text(" in text and ".execute(text(" in text:
            plan.imports.add("from sqlalchemy import text")


def _check_fixtures(plan: TestPlan, converted: set[Mock]) -> None:
    reading = plan.reading
    for fixture in reading.fixtures:
        names = reading.by_function.get(fixture.node.lineno, {}) if fixture.module is plan.module else {}
        if fixture.module is not plan.module:
            taken = {each.arg for each in fixture.node.args.args}
            mocks = {each.name for each in reading.fixtures if _exports_mock(each, plan)}
            if taken & mocks and not _exports_mock(fixture, plan):
                raise Unconvertible(
                    reading.test.lineno, fixture.name, f"the fixture in {fixture.module.path.name} is made of a mock",
                    "convert that fixture by hand",
                )  # fmt: skip
            continue
        if _exports_mock(fixture, plan):
            if fixture.autouse:
                raise Unconvertible(
                    fixture.node.lineno, fixture.name, "it installs its mock for all tests", "have tests ask for it"
                )
            continue
        known = reading.edits.get(fixture.node.lineno, FunctionEdits())
        if not any(mock in converted for mock in names.values()) and not known.removed and not known.calls:
            continue
        _edit_fixture(fixture, plan)


def _edit_fixture(fixture: Fixture, plan: TestPlan) -> None:
    edits = plan.reading.edit(fixture.node)
    if fixture.is_set_up:
        _edit_set_up(fixture, plan, edits)
        return
    if fixture.autouse and edits.renames:
        raise Unconvertible(
            fixture.node.lineno, fixture.name, "it makes mocks for all tests", "have tests ask for a fixture"
        )
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
    if fixture.name == "setUp":
        edits.top = [_by_name(name) for name in needed]
        return
    edits.arguments, edits.new_decorators, edits.name = needed, ["pytest.fixture(autouse=True)"], "set_up"


def _by_name(fixture: str) -> str:
    return f'{fixture} = self.request.getfixturevalue("{fixture}")'


def _exports_mock(fixture: Fixture, plan: TestPlan) -> bool:
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
        if isinstance(value, ast.Call) and any(mock.line == value.lineno for mock in plan.reading.mocks):
            return fixture.name in plan.reading.by_function.get(plan.reading.test.lineno, {}) or any(
                fixture.name in each for each in plan.reading.by_function.values()
            )
    return False


def _applies(line: int, plan: TestPlan) -> bool:
    """Return whether the edits of a function are for the file: fixtures that give mocks stay, or go."""
    if line == plan.reading.test.lineno:
        return True
    fixture = next(
        (each for each in plan.reading.fixtures if each.node.lineno == line and each.module is plan.module), None
    )
    edits = plan.reading.edits[line]
    return fixture is not None and not _exports_mock(fixture, plan) and bool(edits.renames or edits.calls)


def _without_shared(
    plans: list[tuple[Test, TestPlan | None, Reading | None]], result: FileResult
) -> list[tuple[Test, TestPlan | None, Reading | None]]:
    """Return the plans without those that change a fixture which another test needs as it is."""
    while True:
        users: dict[int, list[int]] = defaultdict(list)
        changes: dict[int, list[FunctionEdits]] = defaultdict(list)
        for number, (_, plan, reading) in enumerate(plans):
            for fixture in reading.fixtures if reading else ():
                users[fixture.node.lineno].append(number)
            for line, edits in plan.reading.edits.items() if plan else ():
                if plan and line != plan.reading.test.lineno and _applies(line, plan):
                    changes[line].append(edits)
        refused = {
            number: line
            for line, edits in changes.items()
            for number in users[line]
            if plans[number][1] is not None
            and (len(edits) < len(users[line]) or any(each != edits[0] for each in edits))
        }
        if not refused:
            return plans
        for number, line in refused.items():
            test, plan, reading = plans[number]
            why = "another test uses the same fixture and stays on its mock"
            result.left.append(Left(test=test.name, line=line, what="fixture", why=why, remedy=_WHOLE))
            plans[number] = (test, None, dataclasses.replace(reading) if reading else None)


def _without_half(
    plans: list[tuple[Test, TestPlan | None, Reading | None]], half: dict[str, MockUse], result: FileResult
) -> list[tuple[Test, TestPlan | None, Reading | None]]:
    """Return the plans without those of tests that would keep a mock."""
    kept: list[tuple[Test, TestPlan | None, Reading | None]] = []
    for test, plan, reading in plans:
        use = half.get(test.name)
        if use is not None and plan is not None:
            why = f"a mock of {use.service.value} could not be told from others"
            left = Left(test=test.name, line=test.node.lineno, what=use.api, why=why, remedy="convert by hand")
            result.left.append(left)
            plan = None
        kept.append((test, plan, reading))
    return kept


def _unused_fixtures(
    module: Module, plans: list[tuple[Test, TestPlan | None, Reading | None]], edits: dict[int, FunctionEdits]
) -> set[int]:
    """Return the lines of fixtures that gave mocks to converted tests, and that nobody asks for any more."""
    candidates = {
        fixture.name: fixture
        for _, plan, _ in plans
        if plan is not None
        for fixture in plan.reading.fixtures
        if fixture.module is plan.module and _exports_mock(fixture, plan)
    }
    asked: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            dropped = edits[node.lineno].dropped_arguments if node.lineno in edits else set()
            asked |= {each.arg for each in (*node.args.args, *node.args.kwonlyargs)} - dropped
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            asked.add(node.value)
    return {fixture.node.lineno for name, fixture in candidates.items() if name not in asked}


def _check_same_tests(before: ast.Module, after: ast.Module) -> None:
    old, new = [test.name for test in each_test(before)], [test.name for test in each_test(after)]
    if old != new:
        raise AssertionError(f"tests were {old}, and are {new}")
