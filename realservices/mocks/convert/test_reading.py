"""What a test does with mocks of services: how it makes and installs them, what it tells them, what it asks them."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.function_reading import FunctionReader
from realservices.mocks.convert.installing_fixtures import is_replaced
from realservices.mocks.convert.redis_commands import COMMANDS
from realservices.mocks.convert.test_facts import KEPT, Function, Reading
from realservices.mocks.convert.told_facts import Bound
from realservices.mocks.scan_model import MockUse, Service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.mocks.convert.fixture_index import Fixture
    from realservices.mocks.convert.project_modules import Module
    from realservices.mocks.convert.service_calls import ServiceCall
    from realservices.mocks.convert.test_facts import Mock


def _linked(mock: Mock, calls: Sequence[ServiceCall]) -> Service | None:
    """Return the service that a mock of a value of the project's own stands for, by its parts or by the code."""
    if (service := mock.linked_service()) is not None:
        return service
    name = mock.target.rpartition(".")[2]
    used = [call for call in calls if name and call.receiver == name and call.statement is None]
    is_redis = any("redis" in origin.split(".") for call in used for origin in call.module.imports.values())
    return Service.REDIS if is_redis and all(call.method in COMMANDS for call in used) else None


class TestReader:
    """Reads the tests of a file.

    Args:
        module: The file.
        uses: What the scan has found in it, and in conftest.py files, by path and line.
    """

    # pytest must not take this class for a test.
    __test__ = False

    def __init__(self, module: Module, uses: dict[str, Sequence[MockUse]]) -> None:
        self._module = module
        self._uses = uses
        self._linked: dict[tuple[str, int], Service] = {}
        self.reads_all = False

    def read(self, test: Function, fixtures: Sequence[Fixture], calls: Sequence[ServiceCall] = ()) -> Reading:
        """Return what a test does with mocks of services.

        Args:
            test: The test.
            fixtures: Those that it uses.
            calls: What the code that it calls does: it may tell what a value of the project's own is.

        Raises:
            Unconvertible: It does something that has no counterpart on real services.
        """
        self._linked, self.reads_all = {}, True
        first = Reading(test, fixtures=list(fixtures))
        with contextlib.suppress(Unconvertible):
            self._read(first)
        for mock in first.mocks:
            if mock.use.service in KEPT and not mock.use.stays and (service := _linked(mock, calls)):
                self._linked[mock.path, mock.line] = service
        self.reads_all = False
        reading = self._read(Reading(test, fixtures=list(fixtures), called={call.line for call in calls}))
        reading.mocks = [mock for mock in reading.mocks if not is_replaced(mock, test)]
        return reading

    def _read(self, reading: Reading) -> Reading:
        exported: dict[str, Bound] = {}
        for fixture in reading.fixtures:
            body = FunctionReader(self, fixture.module, fixture.node, reading, exported, is_fixture=True)
            body.read()
            exported |= body.grafted()
            if fixture.is_set_up:
                exported |= {name: bound for name, bound in body.bound.items() if name.startswith("self.")}
            elif (bound := body.exported()) is not None:
                exported[fixture.name] = bound
        body = FunctionReader(self, self._module, reading.test, reading, exported, is_fixture=False)
        body.read()
        reading.names = {name: bound.mock for name, bound in body.bound.items() if not bound.prefix}
        reading.parts = {name for name, bound in body.bound.items() if bound.prefix and name in exported}
        return reading

    def uses_in(self, module: Module, line: int) -> list[MockUse]:
        """Return what the scan has found in a line."""
        linked = self._linked.get((str(module.path), line))
        return [
            dataclasses.replace(use, service=linked) if linked and use.service in KEPT else use
            for use in self._uses.get(str(module.path), ())
            if use.line == line
        ]

    def is_kept(self, use: MockUse | None) -> bool:
        """Return whether a mock is none of a service, or right to stay."""
        if use is None or use.stays:
            return True
        return use.service in KEPT and not (self.reads_all and use.service in (Service.OWN_CODE, Service.OTHER))
