"""What is read in a test: mocks with what they are told and asked, fakes, and what is to be done to functions."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.mocks.scan_model import MockUse, Service

if TYPE_CHECKING:
    from collections.abc import Set

    from realservices.mocks.convert.fixture_index import Fixture
    from realservices.mocks.convert.mock_paths import Fact

Function = ast.FunctionDef | ast.AsyncFunctionDef
_OF_DATABASES = {
    "acquire", "fetchrow", "fetchval", "fetch", "fetchone", "fetchall", "cursor", "scalars", "query",
    "scalar_one_or_none",
}  # fmt: skip
KEPT = {Service.OWN_CODE, Service.OTHER, Service.TIME, Service.RANDOM}
"""What a mock may stand for and stay: nothing that a real service replaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a test asks a mock.

    Attributes:
        path: Of what.
        word: "called" or "not called".
        times: How often, None where that is not said.
        arguments: Those asked for, None where any will do.
        keywords: Those asked for by name.
        line: Of the statement.
        looks: It looks at what was passed, in words of its own: where that leaves a trace, the trace is asserted.
    """

    path: tuple[str, ...]
    word: str
    times: int | None
    arguments: tuple[ast.expr, ...] | None
    keywords: dict[str, ast.expr]
    line: int
    looks: bool = False


@dataclass(slots=True, eq=False)
class Mock:
    """A mock of a service.

    Attributes:
        name: What the test, or the fixture that makes it, calls it.
        use: What the scan says of it.
        target: The dotted name that it is put in place of, "" where it is handed over.
        facts: What it was told, the fixtures' before the test's.
        checks: What it is asked.
        is_async: It was made as an AsyncMock.
        line: Where.
        path: The file.
        parts: Services of mocks that were made parts of it.
        is_created: What it is put in place of need not be there.
        spec: The full name of the class that it has the methods of, "" where none is given.
    """

    name: str
    use: MockUse
    target: str = ""
    facts: list[Fact] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    is_async: bool = False
    line: int = 0
    path: str = ""
    parts: list[Service] = field(default_factory=list)
    is_created: bool = False
    spec: str = ""

    def has_any_of(self, words: Set[str]) -> bool:
        """Return whether it is told, or asked, about one of these methods."""
        paths = [*(fact.path for fact in self.facts), *(check.path for check in self.checks)]
        return any(not words.isdisjoint(path) for path in paths)

    def linked_service(self) -> Service | None:
        """Return the service of what the test has it give: the scan may know it as one of the project's own."""
        found = next((part for part in self.parts if part not in KEPT and part is not self.use.service), None)
        return found or (Service.POSTGRES if self.has_any_of(_OF_DATABASES) else None)


@dataclass(frozen=True, slots=True)
class Fake:
    """A fake that stands for a service: what the scan says, the call that makes it, and the function that it is in."""

    use: MockUse
    node: ast.AST
    function: Function
    is_foreign: bool


@dataclass(slots=True)
class FunctionEdits:
    """What is done to one function: a test, or a fixture that hands mocks on.

    Attributes:
        removed: Lines of statements that go.
        replaced: Statements, by the line of the one whose place they take.
        top: Statements that come first.
        before: Statements by the line of the one that they come before.
        renames: Expressions by the name that they replace.
        dropped_arguments: Arguments that go.
        arguments: New ones.
        decorators: Lines of decorators that go.
        markers: New ones, without "@pytest.mark.".
        unwrapped: Items of `with` that go: line of the statement and number of the item.
        becomes_async: Whether `def` becomes `async def`.
        calls: Expressions by line and column of the call that they replace.
        spans: The same by first and last line and column, for calls that begin where others do.
        texts: Expressions by line and column of the text that they replace.
        name: A new name, "" for the one that it has.
        new_decorators: Those that it gets, without "@".
    """

    removed: set[int] = field(default_factory=set)
    replaced: dict[int, list[str]] = field(default_factory=dict)
    top: list[str] = field(default_factory=list)
    before: dict[int, list[str]] = field(default_factory=dict)
    renames: dict[str, str] = field(default_factory=dict)
    dropped_arguments: set[str] = field(default_factory=set)
    arguments: list[str] = field(default_factory=list)
    decorators: set[int] = field(default_factory=set)
    markers: list[str] = field(default_factory=list)
    unwrapped: set[tuple[int, int]] = field(default_factory=set)
    becomes_async: bool = False
    calls: dict[tuple[int, int], str] = field(default_factory=dict)
    spans: dict[tuple[int, int, int, int], str] = field(default_factory=dict)
    texts: dict[tuple[int, int], str] = field(default_factory=dict)
    name: str = ""
    new_decorators: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """A test, read.

    Attributes:
        test: Its function.
        mocks: Of services, in the order of the text.
        fixtures: Those that it uses.
        edits: What is done to it and to fixtures, by the function's line; of fixtures in other files nothing may be.
        others: Uses of mocks that stay.
        grafted: Mocks that were made parts of others: `pool.acquire.return_value = connection`.
        parts: Fixtures of the test that give such a part.
        called: Lines of the test that call code which uses a service.
    """

    test: Function
    mocks: list[Mock] = field(default_factory=list)
    fixtures: list[Fixture] = field(default_factory=list)
    edits: dict[int, FunctionEdits] = field(default_factory=dict)
    fakes: list[Fake] = field(default_factory=list)
    installed: set[int] = field(default_factory=set)
    names: dict[str, Mock] = field(default_factory=dict)
    by_function: dict[int, dict[str, Mock]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    grafted: list[Mock] = field(default_factory=list)
    parts: set[str] = field(default_factory=set)
    called: set[int] = field(default_factory=set)

    def edit(self, function: Function) -> FunctionEdits:
        """Return what is done to a function."""
        return self.edits.setdefault(function.lineno, FunctionEdits())
