"""Mocks that a test keeps though nothing in it was converted: each that may stand for a service is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Left
from realservices.mocks.convert.test_facts import KEPT, Function
from realservices.mocks.scan_model import Form, MockUse, Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from realservices.mocks.convert.each_test import Test
    from realservices.mocks.convert.fixture_index import Fixture
    from realservices.mocks.convert.service_calls import ServiceCall

_CLIENTS = {"asyncpg", "psycopg", "psycopg2", "sqlalchemy", "sqlmodel", "redis", "clickhouse_connect"}
_REAL = ("isolated_", "cloned_database", "database_pool", "real_")


def kept_mock(
    test: Test,
    path: Path,
    fixtures: Sequence[Fixture],
    calls: Iterable[ServiceCall],
    uses: Mapping[str, Sequence[MockUse]],
) -> Left | None:
    """Return why a test without a plan is left, None where it has no mock that may stand for a service.

    Args:
        test: The test.
        path: Its file.
        fixtures: Those that it uses.
        calls: What the code that it calls does.
        uses: What the scan has found, by file.
    """
    functions = [(path, test.node), *((each.module.path, each.node) for each in fixtures)]
    is_told = any(_is_of_service(call) for call in calls) and not _has_real(node for _, node in functions)
    for file, node in functions:
        for use in _uses_in(node, uses.get(str(file), ())):
            if use.service not in KEPT:
                return _left(test, use, f"a mock of {use.service.value} could not be told from others")
            if use.service is Service.OTHER and is_told:
                why = "the code speaks with a service, and it cannot be told whether this mock stands for it"
                return _left(test, use, why)
    return None


def _uses_in(node: Function, uses: Sequence[MockUse]) -> Iterator[MockUse]:
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    for use in uses:
        is_here = first <= use.line <= (node.end_lineno or node.lineno)
        if is_here and not use.stays and use.form is not Form.MONKEYPATCH:
            yield use


def _has_real(functions: Iterable[Function]) -> bool:
    return any(each.arg.startswith(_REAL) for node in functions for each in node.args.args)


def _is_of_service(call: ServiceCall) -> bool:
    origins = {origin.split(".")[0] for origin in call.module.imports.values()}
    return call.statement is not None or not _CLIENTS.isdisjoint(origins)


def _left(test: Test, use: MockUse, why: str) -> Left:
    remedy = "take the real client's fixture, or give the mock its class as spec"
    return Left(
        test=test.name, line=use.line, what=", ".join(use.names) or use.target or use.api, why=why, remedy=remedy
    )
