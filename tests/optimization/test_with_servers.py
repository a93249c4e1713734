"""Where a target declares servers, tests share databases with them: one test at a time, and restored after each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from realservices.optimization.limits import PoolTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_environments_take_turns_and_are_restored(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager(max_concurrent_tests=50)

    async def be_alone(number: int) -> None:
        async with manager.create_test_environment(f"test {number}", ["database", "redis"]) as environment:
            assert await environment["redis"].setnx("only", 1)
            await environment["database"].execute("INSERT INTO ledger VALUES ('only')")
            assert await environment["database"].fetchval("SELECT current_database()") == "test"

    await asyncio.gather(*(be_alone(number) for number in range(5)))
    assert manager.report().concurrent_tests["peak"] == 1


async def test_second_environment_within_one_is_told_why_it_waits(start_manager: Callable[..., Any]) -> None:
    manager = await start_manager(acquire_timeout_s=0.02)
    async with manager.create_test_environment("outer", ["database"]):
        with pytest.raises(
            PoolTimeoutError, match=r"inner .*declared servers use the databases.*held by outer\. Leave"
        ):
            await manager.create_test_environment("inner", ["database"]).__aenter__()
