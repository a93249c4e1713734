"""What a scan finds: uses of mocks, by test file. The other parts of the package work on these."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SIMPLE_AT_MOST = 3
_MODERATE_AT_MOST = 10


class Form(enum.StrEnum):
    """How a test makes or installs a mock."""

    MOCK = "mock"
    """`Mock()`, `MagicMock()`, `AsyncMock()`, `mocker.Mock()`, … built by the test or by one of its fixtures."""
    AUTOSPEC = "autospec"
    """`create_autospec(…)`, `mocker.create_autospec(…)`."""
    PATCH_DECORATOR = "patch decorator"
    PATCH_CONTEXT = "patch context manager"
    PATCH_CALL = "patch call"
    """A patcher by itself: `patch(…).start()`, `mocker.patch(…)`, `stack.enter_context(patch(…))`."""
    MONKEYPATCH = "monkeypatch"
    """`monkeypatch.setattr(…)` and `setitem(…)` that replace a client or a function; not environment variables."""
    FAKE_LIBRARY = "fake library"
    """`fakeredis`, `mongomock`, `respx`, `responses`, `aioresponses`, `requests_mock`, `vcr`, `pyfakefs`, `moto`, …"""
    FAKE_CLASS = "fake class"
    """A class of the suite's own that stands for a client: `FakeRedis`, `StubSession`, …"""
    SQLITE = "sqlite"
    """SQLite, on disk or in memory, in place of the database of production."""
    INHERITED = "inherited mock"
    """A fixture, helper function or base class of another file that makes mocks: once in each file that uses it."""


class Service(enum.StrEnum):
    """What a mock stands for."""

    POSTGRES = "postgres"
    REDIS = "redis"
    CLICKHOUSE = "clickhouse"
    HTTP = "http"
    WEBSOCKET = "websocket"
    FILES = "files"
    LLM = "llm"
    TIME = "time"
    RANDOM = "random"
    OWN_CODE = "own code"
    """A function or class of the project under test that is none of the above."""
    OTHER = "other"


class Complexity(enum.StrEnum):
    """How much work a test file is, in the order of migration."""

    SIMPLE = "simple"
    MODERATE = "moderate"
    COMPLEX = "complex"


@dataclass(frozen=True, kw_only=True)
class MockUse:
    """One place where a test makes or installs a mock.

    Attributes:
        line: Where it begins, from 1.
        column: Where it begins, from 0, in characters.
        form: How it is done.
        api: The called thing by its full name, whatever it was imported as: "unittest.mock.patch.object".
        target: The dotted name of what is replaced, such as "app.db.pool"; "" where nothing is, or it is unknown.
        names: Names by which the test reaches the mock: arguments, variables, attributes such as "self.db".
        scope: The function that it is in, such as "TestUsers.test_create" or a fixture's name; "" at module level.
        service: What it stands for.
        evidence: What says so, for people; the strongest first.
        hard: What makes a conversion hard, in words: side effects, call-order assertions, mocks of own code.
        stays: Why this mock is right to stay; "" where it is not.
    """

    line: int
    column: int
    form: Form
    api: str
    target: str
    names: tuple[str, ...]
    scope: str
    service: Service
    evidence: tuple[str, ...]
    hard: tuple[str, ...] = ()
    stays: str = ""


@dataclass(frozen=True, kw_only=True)
class TestFile:
    """A test file, or a file that tests import, and its mocks.

    Attributes:
        path: Relative to the suite's root.
        uses: In the order of the text.
        tests: Number of test functions and methods in it.
        error: Why it could not be read or parsed; "" where it could.
        fixtures: Fixtures of this package that its tests and fixtures ask for.
        markers: Its markers `requires_…`, without the beginning: "postgres".
        assertions: Number of `assert_called…` and the like on mocks that do not stay.
        imports_mocks: Whether it imports a library of mocks.
    """

    # pytest must not take this class for a test.
    __test__ = False

    path: Path
    uses: tuple[MockUse, ...] = ()
    tests: int = 0
    error: str = ""
    fixtures: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    assertions: int = 0
    imports_mocks: bool = False

    @property
    def complexity(self) -> Complexity:
        """The guide's measure, by the number of mocks that do not stay; what is hard makes it at least moderate."""
        leaving = [use for use in self.uses if not use.stays]
        if len(leaving) > _MODERATE_AT_MOST:
            return Complexity.COMPLEX
        if len(leaving) > _SIMPLE_AT_MOST or any(use.hard for use in leaving):
            return Complexity.MODERATE
        return Complexity.SIMPLE


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The test files of a tree.

    Attributes:
        root: The tree.
        files: In the order of their paths: also those without mocks, and those that could not be read.
    """

    root: Path
    files: tuple[TestFile, ...] = ()

    @property
    def unreadable(self) -> tuple[TestFile, ...]:
        """Those that could not be read or parsed."""
        return tuple(file for file in self.files if file.error)

    @property
    def leaving(self) -> int:
        """Number of the mocks that are not right to stay."""
        return sum(not use.stays for file in self.files for use in file.uses)
