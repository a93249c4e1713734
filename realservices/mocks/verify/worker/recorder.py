"""A pytest plugin: what became of each test, and which test is running."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_REASON_LENGTH = 2000


class Recorder:
    """Keeps outcomes by a test's name within its file, such as "TestUsers::test_create[a]".

    Args:
        selected: Names of the tests to run, or None for all.
        switch: Is told of the test whose code runs from now on; "" is no test's, or several tests'.

    Attributes:
        tests: By name `outcome`, `seconds` and `reason`, in the order of the tests.
        errors: What failed before there were tests.
    """

    def __init__(self, selected: list[str] | None = None, switch: Callable[[str], object] | None = None) -> None:
        self.tests: dict[str, dict[str, Any]] = {}
        self.errors: list[str] = []
        self._selected = None if selected is None else set(selected)
        self._switch = switch or (lambda _: None)
        self._running = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what is not selected."""
        if self._selected is None:
            return
        left = [item for item in items if _name(item.nodeid) not in self._selected]
        items[:] = [item for item in items if _name(item.nodeid) in self._selected]
        if left:
            config.hook.pytest_deselected(items=left)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be imported."""
        if report.failed:
            self.errors.append(report.longreprtext[-_REASON_LENGTH:])

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Say which test runs, and take its time."""
        name = _name(item.nodeid)
        # It stays unfinished where the process ends in it.
        self.tests[name] = {"outcome": "unfinished", "seconds": 0.0, "reason": ""}
        self._running = name
        self._switch(name)
        begin = time.monotonic()
        try:
            return (yield)
        finally:
            self.tests[name]["seconds"] = time.monotonic() - begin
            self._running = ""
            self._switch("")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Take the setup of a fixture that several tests share as no test's own."""
        if fixturedef.scope == "function":
            return (yield)
        self._switch("")
        try:
            return (yield)
        finally:
            self._switch(self._running)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst that became of a test's phases."""
        test = self.tests.setdefault(_name(report.nodeid), {"outcome": "unfinished", "seconds": 0.0, "reason": ""})
        if report.failed and test["outcome"] != "failed":
            test |= {"outcome": "failed", "reason": _reason(report)}
        elif test["outcome"] != "failed" and (report.when == "call" or report.skipped):
            test |= {"outcome": _outcome(report), "reason": _reason(report)}

    def result(self, code: int) -> dict[str, Any]:
        """Return all of it, for JSON."""
        return {"exit_code": code, "tests": self.tests, "errors": self.errors}


def _name(nodeid: str) -> str:
    return nodeid.split("::", 1)[-1]


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    return str(report.outcome)


def _reason(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message)[:_REASON_LENGTH]
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[-1])[:_REASON_LENGTH]
    return report.longreprtext[-_REASON_LENGTH:]
