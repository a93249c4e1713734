"""The plan of one test's conversion, which the planners of the services fill: fixtures, first lines, checks."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.row_plan import RowPlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from realservices.mocks.convert.database_schema import Schema
    from realservices.mocks.convert.handles import Handle
    from realservices.mocks.convert.project_modules import Module, Project
    from realservices.mocks.convert.service_calls import ServiceCall
    from realservices.mocks.convert.test_facts import Check, Mock, Reading

TODO = "# TODO: "


@dataclass(slots=True)
class TestPlan:
    """What becomes of a test.

    Attributes:
        reading: The test.
        module: Its file.
        project: Where its imports are.
        calls: What the code that it calls does.
        schema: The real tables.
        setup: Lines that come first: the real object is put in place.
        seeds: Lines that follow: what must be there before the test acts.
        faults: Lines that come last: services are stopped, or paused.
        service_names: Names of the project's services, by kind.
        fixtures: Those that the test takes.
        pools: Whether it needs the fixture `database_pool`.
        imports: Lines of import that the new code needs.
        services: Kinds of services.
        notes: What a reader of the diff should know.
        rows: The rows of the database.
        handle: How they are inserted.
        placed: What stands for a mock now.
        absent: Tables of which the mock says that what is searched is not there.
        gone: Assertions that have no counterpart, by line, and why.
        overrides: Fixtures that the file is to have for those of a conftest.py, and what they give.
        is_async: Whether the test is a coroutine.
        is_case: Whether it is a method of unittest's TestCase.
    """

    # pytest must not take this class for a test.
    __test__ = False

    reading: Reading
    module: Module
    project: Project
    calls: list[ServiceCall]
    schema: Schema
    is_async: bool
    is_case: bool = False
    setup: list[str] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    service_names: Mapping[str, str] = field(default_factory=dict)
    fixtures: list[str] = field(default_factory=list)
    pools: bool = False
    imports: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    checked: dict[int, list[str]] = field(default_factory=dict)
    placed: dict[Mock, str] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)
    gone: dict[int, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    rows: RowPlan = field(init=False)
    handle: Handle | None = None

    def __post_init__(self) -> None:
        self.rows = RowPlan(self.schema)

    def take(self, fixture: str) -> str:
        """Have the test ask for a fixture, and return its name."""
        if fixture not in self.fixtures:
            self.fixtures.append(fixture)
        return fixture

    def put(self, mock: Mock, expression: str) -> None:
        """Have an expression stand wherever the test, or a fixture of the file, has a mock."""
        self.placed[mock] = expression
        if not mock.name and not mock.target:
            self.reading.edit(self.reading.test).calls[mock.line, mock.use.column] = expression
        for line, names in self.reading.by_function.items():
            for name, each in names.items():
                if each is not mock:
                    continue
                edits = self.reading.edits[line]
                edits.renames[name] = expression
                if name.startswith("self.") and mock.line in edits.removed:
                    # Others read the attribute: it holds the real object from now on.
                    edits.replaced[mock.line] = [f"{name} = {expression}"]

    def replace_target(self, target: str, expression: str) -> None:
        """Have the real object stand where a patcher put the mock."""
        self.take("monkeypatch")
        created = (
            ", raising=False" if any(mock.target == target and mock.is_created for mock in self.reading.mocks) else ""
        )
        line = f'monkeypatch.setattr("{target}", {expression}{created})'
        if line not in self.setup:
            self.setup.append(line)

    def check_seam(self, mock: Mock, *, gives_client: bool) -> None:
        """Raise for a patched name of which it is not known that it holds, or gives, a client.

        Args:
            mock: What is put there.
            gives_client: It is told what its result does, or is a client's class.

        Raises:
            Unconvertible: It may be anything, a function that gives data for instance.
        """
        last = mock.target.rpartition(".")[2]
        is_used = any(call.receiver.rpartition(".")[2] == last for call in self.calls)
        if not (gives_client or is_used or self.project.constant(mock.target) is not None):
            raise Unconvertible(
                mock.line, mock.target, "a function is replaced, or something of which it is not known what it is",
                "put the real object in its place by monkeypatch.setattr",
            )  # fmt: skip

    def check(self, line: int, statements: Iterable[str]) -> None:
        """Have statements stand in place of an assertion."""
        known = self.checked.setdefault(line, [])
        for other, said in self.checked.items():
            first, last = sorted((other, line))
            if not any(first < call.line <= last for call in self.calls):
                known = [*known, *said]  # Said already, and nothing has happened since.
        self.checked[line] += [each for each in dict.fromkeys(statements) if each not in known]

    def note(self, text: str) -> None:
        """Tell the reader something, once."""
        if text not in self.notes:
            self.notes.append(text)

    def note_gone(self, check: Check, what: str) -> None:
        """Tell that an assertion has no counterpart.

        Args:
            check: The assertion.
            what: What leaves no trace.

        Raises:
            Unconvertible: It asks for more than whether something was called, and that would be lost.
        """
        if check.looks:
            remedy = "assert the result, or what is there afterwards"
            raise Unconvertible(check.line, "call_args", f"the test looks into the mock, and {what}", remedy)
        self.gone[check.line] = what
        self.note(f"line {check.line}: {what}; the assertion is gone")

    def first_call_line(self) -> int | None:
        """Return the line of the test that first calls code which uses a service."""
        return min((call.line for call in self.calls), default=None)

    def imports_of_code(self) -> set[str]:
        """Return the names of packages that the test, or code under it, imports."""
        modules = [call.module for call in self.calls if call.statement is not None]
        modules = modules or [self.module]
        modules += (
            []
            if modules != [self.module]
            else [found for name in self.module.imports.values() if (found := self._project_module(name))]
        )
        return {origin.split(".")[0] for module in modules for origin in module.imports.values()} | {
            origin for module in modules for origin in module.imports.values()
        }

    def _project_module(self, name: str) -> Module | None:
        return self.project.module(name) or self.project.module(name.rpartition(".")[0])

    def mentions(self, value: ast.expr) -> bool:
        """Return whether an assertion of the test has a constant."""
        wanted = ast.dump(value)
        asserts = (node for node in ast.walk(self.reading.test) if isinstance(node, ast.Assert))
        return any(ast.dump(inner) == wanted for node in asserts for inner in _outside_of_calls(node))


def _outside_of_calls(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.Call):
            yield from _outside_of_calls(child)
