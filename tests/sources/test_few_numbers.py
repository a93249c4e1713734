"""Many environments at once on a Redis of somebody else's that has few numbered databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from realservices.contract.runtime import Endpoint
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def launched_redis() -> Endpoint:
    """The one with few numbers."""
    return find_services().endpoint("redis", "few_numbers")


@pytest.mark.usefixtures("attached")
def test_session_ends_though_environments_are_never_left(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    pytester.makepyfile("""
        import asyncio
        import contextvars

        from realservices.isolation.postgres.connection import IsolatedConnection
        from realservices.performance_optimization import OptimizationLevel, create_optimized_environment_manager

        async def test_that_fails(monkeypatch):
            begun, begin = asyncio.Event(), IsolatedConnection.begin_test

            async def begin_slowly(connection):
                begun.set()
                await begin(connection)
                await asyncio.Event().wait()

            monkeypatch.setattr(IsolatedConnection, "begin_test", begin_slowly)
            manager = create_optimized_environment_manager(OptimizationLevel.CI_THOROUGH)
            await manager.initialize()

            async def use(number):
                async with manager.create_test_environment(f"test {number}") as environment:
                    await environment["redis"].set("only", number)
                    await environment["database"].execute("SELECT 1")

            # The plugin takes these for a fixture's, as it does with all tasks on Python 3.11: they run on.
            tests = [asyncio.create_task(use(number), context=contextvars.Context()) for number in range(20)]
            await begun.wait()
            raise AssertionError(len(tests))
    """)
    result = run("-p", "xdist.plugin", "-n2")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: 20*"])
